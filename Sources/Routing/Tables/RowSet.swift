/// A set of small integers with the next member at or after any number in a few steps: a tree of
/// bitmaps, 64 children a node (three levels hold 262,144 rows).
struct RowSet: Sendable {
    /// `levels[0]` has a bit per row; bit i of `levels[k + 1]` says that word i of `levels[k]` has
    /// one. The last level is one word.
    private var levels: [[UInt64]] = [[0]]

    /// Makes room for rows below `rows`.
    mutating func reserve(_ rows: Int) {
        var words = (rows + 63) / 64
        var level = 0
        while true {
            while levels[level].count < words { levels[level].append(0) }
            guard levels[level].count > 1 else { return }
            if level + 1 == levels.count {
                levels.append([levels[level][0] != 0 ? 1 : 0])
            }
            words = (levels[level].count + 63) / 64
            level += 1
        }
    }

    func contains(_ row: Int) -> Bool {
        levels[0][row >> 6] & (1 << UInt64(row & 63)) != 0
    }

    mutating func insert(_ row: Int) {
        var bit = row
        for level in levels.indices {
            let was = levels[level][bit >> 6]
            levels[level][bit >> 6] = was | (1 << UInt64(bit & 63))
            if was != 0 { return }
            bit >>= 6
        }
    }

    mutating func remove(_ row: Int) {
        var bit = row
        for level in levels.indices {
            levels[level][bit >> 6] &= ~(1 << UInt64(bit & 63))
            if levels[level][bit >> 6] != 0 { return }
            bit >>= 6
        }
    }

    /// The lowest member that is not below `row`.
    func next(from row: Int) -> Int? {
        var (level, bit) = (0, row)
        while level < levels.count {
            let word = bit >> 6
            if word < levels[level].count {
                let rest = levels[level][word] & (~0 << UInt64(bit & 63))
                if rest != 0 {
                    bit = word << 6 | rest.trailingZeroBitCount
                    break
                }
            }
            // Nothing here: the next word of this level is the next bit of the level above.
            level += 1
            bit = word + 1
        }
        guard level < levels.count else { return nil }
        while level > 0 {
            level -= 1
            bit = bit << 6 | levels[level][bit].trailingZeroBitCount
        }
        return bit
    }
}
