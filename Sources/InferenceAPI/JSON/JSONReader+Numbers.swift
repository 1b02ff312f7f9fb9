/// A number as the document has it.
package enum JSONNumber: Hashable, Sendable {
    /// Written without fraction and exponent, and exact.
    case integer(Int64)
    case double(Double)
}

extension JSONReader {
    package mutating func readNumber() throws(JSONError) -> JSONNumber {
        try expect(.number)
        let raw = try scanNumber()
        if raw.isInteger, let integer = raw.exactInteger { return .integer(integer) }
        return .double(try double(of: raw))
    }

    /// The nearest Double. Throws `outOfRange` where that is infinite.
    package mutating func readDouble() throws(JSONError) -> Double {
        try expect(.number)
        return try double(of: try scanNumber())
    }

    /// An integer, exactly. `2.0` and `1e3` are integers too, up to 2^53 (JSON Schema 2020-12
    /// §6.1.1 counts them so, and Python clients send them).
    package mutating func readInteger() throws(JSONError) -> Int64 {
        try expect(.number)
        let raw = try scanNumber()
        if raw.isInteger {
            guard let integer = raw.exactInteger else {
                throw JSONError(reason: .outOfRange, offset: raw.range.lowerBound)
            }
            return integer
        }
        let value = try double(of: raw)
        guard let integer = Int64(exactly: value) else {
            let isWhole = value.rounded(.towardZero) == value
            throw JSONError(
                reason: isWhole ? .outOfRange : .notAnInteger, offset: raw.range.lowerBound)
        }
        guard integer.magnitude <= 1 << 53 else {
            throw JSONError(reason: .outOfRange, offset: raw.range.lowerBound)
        }
        return integer
    }

    /// A number's parts. `significand` times ten to `exponent` is its magnitude when `isExact`.
    struct RawNumber {
        var range: Range<Int>
        var isNegative: Bool
        var isInteger: Bool
        var significand: UInt64
        var exponent: Int
        var isExact: Bool

        /// The value of an integer that fits Int64.
        var exactInteger: Int64? {
            guard isExact else { return nil }
            if isNegative {
                return significand <= 1 << 63 ? Int64(truncatingIfNeeded: 0 &- significand) : nil
            }
            return Int64(exactly: significand)
        }
    }

    /// Consumes a number, checking RFC 8259 §6's grammar.
    mutating func scanNumber() throws(JSONError) -> RawNumber {
        let start = offset
        var raw = RawNumber(
            range: start..<start, isNegative: false, isInteger: true, significand: 0,
            exponent: 0, isExact: true)
        if byte() == UInt8(ascii: "-") {
            raw.isNegative = true
            offset += 1
        }
        if byte() == UInt8(ascii: "0") {
            // No leading zeros: whatever follows a 0 is not part of the number unless . or e.
            offset += 1
        } else {
            try scanDigits(into: &raw, isFraction: false)
        }
        if byte() == UInt8(ascii: ".") {
            offset += 1
            raw.isInteger = false
            try scanDigits(into: &raw, isFraction: true)
        }
        if byte() == UInt8(ascii: "e") || byte() == UInt8(ascii: "E") {
            offset += 1
            raw.isInteger = false
            try scanExponent(into: &raw)
        }
        raw.range = start..<offset
        guard raw.range.count <= limits.numberBytes else {
            let reason = JSONError.Reason.numberTooLong(limitBytes: limits.numberBytes)
            throw JSONError(reason: reason, offset: start)
        }
        return raw
    }

    private mutating func scanDigits(
        into raw: inout RawNumber, isFraction: Bool
    ) throws(JSONError) {
        let start = offset
        while let byte = byte(), UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte {
            let (product, over) = raw.significand.multipliedReportingOverflow(by: 10)
            let (sum, over2) = product.addingReportingOverflow(UInt64(byte & 0x0F))
            if over || over2 { raw.isExact = false }
            raw.significand = sum
            offset += 1
        }
        guard offset > start else { throw unexpected(.digit) }
        if isFraction { raw.exponent -= offset - start }
    }

    private mutating func scanExponent(into raw: inout RawNumber) throws(JSONError) {
        var isNegative = false
        if byte() == UInt8(ascii: "+") || byte() == UInt8(ascii: "-") {
            isNegative = byte() == UInt8(ascii: "-")
            offset += 1
        }
        var exponent = 0
        let start = offset
        while let byte = byte(), UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte {
            // Saturates far outside of Double's range; digits beyond it change nothing.
            exponent = min(exponent * 10 + Int(byte & 0x0F), 1_000_000)
            offset += 1
        }
        guard offset > start else { throw unexpected(.digit) }
        raw.exponent += isNegative ? -exponent : exponent
    }

    private func double(of raw: RawNumber) throws(JSONError) -> Double {
        // Both factors are exact Doubles, so one rounding gives the nearest value (Clinger, "How
        // to read floating point numbers accurately", PLDI 1990).
        if raw.isExact, raw.significand <= 1 << 53, abs(raw.exponent) <= 22 {
            let power = Self.powersOfTen[abs(raw.exponent)]
            let significand = Double(raw.significand)
            let magnitude = raw.exponent < 0 ? significand / power : significand * power
            return raw.isNegative ? -magnitude : magnitude
        }
        let text = String(decoding: bytes[raw.range], as: UTF8.self)
        guard let value = Double(text), value.isFinite else {
            throw JSONError(reason: .outOfRange, offset: raw.range.lowerBound)
        }
        return value
    }

    private static let powersOfTen: [Double] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
        1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
    ]
}
