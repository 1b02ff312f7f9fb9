/// The last few holders of one prompt prefix, most recent first, by holder number; 0 is none.
struct PrefixHolders: Sendable {
    static let limit = 4

    // Four fields and not one vector, whose alignment would make the table's entries longer.
    private var first: UInt32 = 0
    private var second: UInt32 = 0
    private var third: UInt32 = 0
    private var fourth: UInt32 = 0

    /// The numbers, in order.
    private(set) var numbers: SIMD4<UInt32> {
        get { SIMD4(first, second, third, fourth) }
        set { (first, second, third, fourth) = (newValue.x, newValue.y, newValue.z, newValue.w) }
    }

    func contains(_ number: UInt32) -> Bool {
        first == number || second == number || third == number || fourth == number
    }

    var isEmpty: Bool { first == 0 }
    var isFull: Bool { fourth != 0 }

    /// Puts the number first; the least recent of the others leaves when there are too many.
    mutating func promote(_ number: UInt32) {
        var moved = numbers
        var carried = number
        for place in 0..<Self.limit {
            let old = moved[place]
            moved[place] = carried
            if old == number || old == 0 { break }
            carried = old
        }
        numbers = moved
    }

    mutating func remove(_ number: UInt32) {
        let old = numbers
        var kept = SIMD4<UInt32>()
        var count = 0
        for place in 0..<Self.limit where old[place] != number {
            kept[count] = old[place]
            count += 1
        }
        numbers = kept
    }
}
