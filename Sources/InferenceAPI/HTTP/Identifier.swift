/// Names made for requests and answers. Randomness is passed in.
package enum Identifier {
    /// `chatcmpl-` and 32 hex digits.
    package static func chatCompletion(_ random: (UInt64, UInt64)) -> String {
        "chatcmpl-" + hex(random)
    }

    /// 32 hex digits, for `x-request-id`.
    package static func request(_ random: (UInt64, UInt64)) -> String {
        hex(random)
    }

    private static func hex(_ random: (UInt64, UInt64)) -> String {
        padded(random.0) + padded(random.1)
    }

    private static func padded(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }
}
