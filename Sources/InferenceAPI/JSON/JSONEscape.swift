/// Which bytes a JSON string may not hold as they are (RFC 8259 §7).
enum JSONEscape {
    @inline(__always)
    static func isNeeded(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    /// The same for eight bytes at once: exact, as borrows only reach bytes above a hit
    /// (Warren, "Hacker's Delight" §6-1).
    @inline(__always)
    static func isNeeded(inAnyOf word: UInt64) -> Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let quotes = word ^ (ones &* 0x22)
        let backslashes = word ^ (ones &* 0x5C)
        let hits =
            (word &- ones &* 0x20) & ~word | (quotes &- ones) & ~quotes
            | (backslashes &- ones) & ~backslashes
        return hits & (ones &* 0x80) != 0
    }

    /// Eight bytes, the first one lowest. A safe spelling of an unaligned load.
    @inline(__always)
    static func word(_ span: Span<UInt8>, at index: Int) -> UInt64 {
        let low =
            UInt64(span[index]) | UInt64(span[index &+ 1]) << 8
            | UInt64(span[index &+ 2]) << 16 | UInt64(span[index &+ 3]) << 24
        let high =
            UInt64(span[index &+ 4]) | UInt64(span[index &+ 5]) << 8
            | UInt64(span[index &+ 6]) << 16 | UInt64(span[index &+ 7]) << 24
        return low | high << 32
    }
}
