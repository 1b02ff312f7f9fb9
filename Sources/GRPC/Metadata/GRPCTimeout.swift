/// The `grpc-timeout` header: at most eight digits and a unit (gRPC over HTTP/2, "Timeout").
package enum GRPCTimeout {
    /// A century: as good as for ever, and does not overflow the loop's clock.
    static let maxNanoseconds: Int64 = 3_155_760_000_000_000_000

    /// Nanoseconds, saturating at `Int64.max` (292 years); nil when the value is malformed.
    package static func parse(_ value: some StringProtocol) -> Int64? {
        let utf8 = Array(value.utf8.prefix(10))
        guard utf8.count >= 2, utf8.count <= 9, let unit = utf8.last else { return nil }
        var number: Int64 = 0
        for byte in utf8.dropLast() {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
            number = number * 10 + Int64(byte - UInt8(ascii: "0"))
        }
        guard let scale = nanosecondsPerUnit(unit) else { return nil }
        let (product, overflow) = number.multipliedReportingOverflow(by: scale)
        return overflow ? .max : product
    }

    /// The value in the finest unit that fits eight digits, rounded up so that the other side never
    /// gives up before us. Values below 0 become 0.
    package static func format(nanoseconds: Int64) -> String {
        let value = max(0, nanoseconds)
        for unit in units {
            let scale = unit.nanoseconds
            let count = value / scale + (value % scale == 0 ? 0 : 1)
            if count <= 99_999_999 { return "\(count)\(unit.letter)" }
        }
        return "99999999H"
    }

    private static let units: [(letter: Character, nanoseconds: Int64)] = [
        ("n", 1), ("u", 1_000), ("m", 1_000_000), ("S", 1_000_000_000), ("M", 60_000_000_000),
        ("H", 3_600_000_000_000),
    ]

    private static func nanosecondsPerUnit(_ letter: UInt8) -> Int64? {
        switch letter {
        case UInt8(ascii: "n"): 1
        case UInt8(ascii: "u"): 1_000
        case UInt8(ascii: "m"): 1_000_000
        case UInt8(ascii: "S"): 1_000_000_000
        case UInt8(ascii: "M"): 60_000_000_000
        case UInt8(ascii: "H"): 3_600_000_000_000
        default: nil
        }
    }
}
