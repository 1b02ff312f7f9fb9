/// Tokens that survived truncation, with logits; weights are relative to the best token's.
struct CandidateList {
    struct Candidate {
        var token: Int32
        var logit: Float

        /// Descending by logit, ties by lower token.
        static func precedes(_ left: Candidate, _ right: Candidate) -> Bool {
            left.logit != right.logit ? left.logit > right.logit : left.token < right.token
        }
    }

    private(set) var items: [Candidate] = []
    private(set) var weights: [Float] = []

    var count: Int { items.count }

    mutating func removeAll() {
        items.removeAll(keepingCapacity: true)
    }

    @inline(__always)
    mutating func append(token: Int32, logit: Float) {
        items.append(Candidate(token: token, logit: logit))
    }

    mutating func sort() {
        items.sort(by: Candidate.precedes)
    }

    mutating func keepFirst(_ limit: Int) {
        if items.count > limit { items.removeLast(items.count - limit) }
    }

    /// Drops candidates under a logit.
    mutating func drop(below threshold: Float) {
        items.removeAll { $0.logit < threshold }
    }

    /// Computes `weights`: e^((logit - largest) * inverseTemperature). Returns their sum.
    mutating func weigh(largest: Float, inverseTemperature: Float) -> Double {
        weights.removeAll(keepingCapacity: true)
        var sum = 0.0
        var index = 0
        while index < items.count {
            let lanes = min(8, items.count - index)
            var logits = SIMD8<Float>(repeating: -.infinity)
            for lane in 0..<lanes { logits[lane] = items[index + lane].logit }
            let eight = vectorExp((logits - largest) * inverseTemperature)
            for lane in 0..<lanes {
                weights.append(eight[lane])
                sum += Double(eight[lane])
            }
            index += 8
        }
        return sum
    }

    /// Drops what follows the shortest run that weighs at least `mass`. Needs `weigh`. Returns the
    /// weight kept.
    mutating func cut(mass: Double) -> Double {
        var sum = 0.0
        for index in 0..<items.count {
            if sum >= mass {
                items.removeLast(items.count - index)
                weights.removeLast(weights.count - index)
                return sum
            }
            sum += Double(weights[index])
        }
        return sum
    }

    /// The candidate at `target` of the cumulated weight. Needs `weigh`; not empty.
    func pick(_ target: Double) -> Int32 {
        var sum = 0.0
        for (index, weight) in weights.enumerated() {
            sum += Double(weight)
            if target < sum { return items[index].token }
        }
        // Rounding: the last one that can be drawn at all.
        let last = weights.lastIndex { $0 > 0 } ?? 0
        return items[last].token
    }
}
