/// The last ratios of a kind, for their quantiles.
struct RatioWindow: Sendable {
    static let size = 64

    private var ring: [Double] = []
    private var next = 0
    private var sorted: [Double] = []

    var count: Int { ring.count }

    mutating func add(_ ratio: Double) {
        if ring.count < Self.size {
            ring.append(ratio)
        } else {
            sorted.remove(at: place(of: ring[next]))
            ring[next] = ratio
            next = (next + 1) % Self.size
        }
        sorted.insert(ratio, at: place(of: ratio))
    }

    /// Where it is, or belongs.
    private func place(of ratio: Double) -> Int {
        var (low, high) = (0, sorted.count)
        while low < high {
            let middle = (low + high) / 2
            if sorted[middle] < ratio { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Nil without ratios.
    func quantile(_ level: Double) -> Double? {
        guard !sorted.isEmpty else { return nil }
        return sorted[min(sorted.count - 1, Int(level * Double(sorted.count)))]
    }
}
