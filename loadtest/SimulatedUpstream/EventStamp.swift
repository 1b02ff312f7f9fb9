import NIOCore

/// A token that says when it was written: `@` and 19 digits, nanoseconds of the machine's
/// monotonic clock. Who reads it on the same machine knows how long the event took, whatever
/// forwarded it.
package struct EventStamp: Sendable {
    package static let digits = 19

    /// What has been seen of a stamp that is not complete; nil: none has begun.
    private var value: UInt64?
    private var seen = 0

    package init() {}

    static func append(_ nanoseconds: UInt64, to buffer: inout ByteBuffer) {
        buffer.writeInteger(UInt8(ascii: "@"))
        var divisor: UInt64 = 1_000_000_000_000_000_000
        for _ in 0..<digits {
            buffer.writeInteger(UInt8(ascii: "0") + UInt8(nanoseconds / divisor % 10))
            divisor /= 10
        }
    }

    /// Calls `found` with each stamp that ends in `bytes`; one may begin in an earlier call's.
    package mutating func scan(_ bytes: Span<UInt8>, _ found: (UInt64) -> Void) {
        for index in bytes.indices {
            let byte = bytes[index]
            if byte == UInt8(ascii: "@") {
                value = 0
                seen = 0
            } else if let sum = value {
                let digit = byte &- UInt8(ascii: "0")
                guard digit < 10 else {
                    value = nil
                    continue
                }
                seen += 1
                value = sum &* 10 &+ UInt64(digit)
                if seen == Self.digits {
                    found(sum &* 10 &+ UInt64(digit))
                    value = nil
                }
            }
        }
    }
}
