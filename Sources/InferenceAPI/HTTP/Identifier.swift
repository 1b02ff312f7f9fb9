/// Names made for requests and answers. Randomness is passed in.
package enum Identifier {
    /// 32 hex digits: a request's id, or what follows the prefix of another one.
    package static func request(_ random: (UInt64, UInt64)) -> String {
        hex(random)
    }

    private static func hex(_ random: (UInt64, UInt64)) -> String {
        var digits = [UInt8](repeating: 0, count: 32)
        for index in 0..<16 {
            let shift = UInt64(60 - 4 * index)
            digits[index] = digit(random.0 >> shift)
            digits[16 + index] = digit(random.1 >> shift)
        }
        return String(decoding: digits, as: UTF8.self)
    }

    /// The lower-case hex digit of the lowest four bits.
    private static func digit(_ bits: UInt64) -> UInt8 {
        let value = UInt8(truncatingIfNeeded: bits & 0xF)
        return value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") - 10 + value
    }
}
