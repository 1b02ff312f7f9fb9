/// Where a string's content lies, before its escapes are resolved.
struct RawString {
    /// Offsets of the bytes between the quotes.
    var range: Range<Int>
    var hasEscapes: Bool
    /// Whether any byte is 0x80 or more, so that UTF-8 must be checked.
    var isASCII: Bool
}

extension JSONReader {
    package mutating func readString() throws(JSONError) -> String {
        try expect(.string)
        return try text(of: try scanString())
    }

    /// Skips a string and returns its length in bytes as written, for values that only have to be
    /// well-formed.
    package mutating func skipString() throws(JSONError) -> Int {
        try expect(.string)
        let raw = try scanString()
        try check(raw)
        return raw.range.count
    }

    /// Consumes a string from its opening quote, finding its end and what it needs besides a copy.
    mutating func scanString() throws(JSONError) -> RawString {
        let raw = try findString()
        offset = raw.range.upperBound + 1
        return raw
    }

    /// The string whose opening quote is at `offset`.
    private func findString() throws(JSONError) -> RawString {
        let start = offset + 1
        let end = bytes.count
        var index = start
        var hasEscapes = false
        var seen: UInt8 = 0
        let span = bytes.span
        while index < end {
            index = Self.skipPlain(span, from: index, seen: &seen)
            guard index < end else { break }
            let byte = span[index]
            if byte == UInt8(ascii: "\"") {
                guard index - start <= limits.stringBytes else {
                    let reason = JSONError.Reason.stringTooLong(limitBytes: limits.stringBytes)
                    throw JSONError(reason: reason, offset: start - 1)
                }
                return RawString(
                    range: start..<index, hasEscapes: hasEscapes, isASCII: seen < 0x80)
            }
            guard byte == UInt8(ascii: "\\") else {
                throw JSONError(reason: .controlCharacter(byte), offset: index)
            }
            hasEscapes = true
            // The escaped byte cannot end the string; what it means is checked by `text(of:)`.
            index += 2
        }
        throw JSONError(reason: .unexpected(expected: .quote, found: nil), offset: end)
    }

    /// The first offset from `start` on of a quote, backslash or control character, or the end.
    /// `seen` collects the bits of all bytes passed.
    private static func skipPlain(
        _ span: Span<UInt8>, from start: Int, seen: inout UInt8
    ) -> Int {
        let end = span.count
        var index = start
        var bits: UInt64 = 0
        while index &+ 8 <= end {
            let word = JSONEscape.word(span, at: index)
            if JSONEscape.isNeeded(inAnyOf: word) { break }
            bits |= word
            index &+= 8
        }
        if bits & 0x8080_8080_8080_8080 != 0 { seen |= 0x80 }
        while index < end {
            let byte = span[index]
            if JSONEscape.isNeeded(byte) { return index }
            seen |= byte
            index &+= 1
        }
        return index
    }

    /// The string's value.
    func text(of raw: RawString) throws(JSONError) -> String {
        if raw.hasEscapes { return try unescape(raw) }
        return try Self.string(bytes.span.extracting(raw.range), at: raw.range.lowerBound)
    }

    /// Checks a string that nobody wants the value of.
    func check(_ raw: RawString) throws(JSONError) {
        if raw.hasEscapes {
            _ = try unescape(raw)
        } else if !raw.isASCII {
            try Self.checkUTF8(bytes.span.extracting(raw.range), at: raw.range.lowerBound)
        }
    }

    private static func checkUTF8(_ span: Span<UInt8>, at start: Int) throws(JSONError) {
        do {
            _ = try UTF8Span(validating: span)
        } catch {
            throw JSONError(reason: .invalidUTF8, offset: start + error.byteOffsets.lowerBound)
        }
    }

    private static func string(_ span: Span<UInt8>, at start: Int) throws(JSONError) -> String {
        do {
            return String(copying: try UTF8Span(validating: span))
        } catch {
            throw JSONError(reason: .invalidUTF8, offset: start + error.byteOffsets.lowerBound)
        }
    }

    /// Resolves escapes. The raw bytes are checked as UTF-8 first: escapes are ASCII, so the
    /// result is UTF-8 exactly when they are.
    private func unescape(_ raw: RawString) throws(JSONError) -> String {
        let span = bytes.span
        if !raw.isASCII {
            try Self.checkUTF8(span.extracting(raw.range), at: raw.range.lowerBound)
        }
        var output: [UInt8] = []
        output.reserveCapacity(raw.range.count)
        var index = raw.range.lowerBound
        let end = raw.range.upperBound
        while index < end {
            if span[index] != UInt8(ascii: "\\") {
                // `scanString` saw to it that what stops here is a backslash or the end.
                var seen: UInt8 = 0
                let run = min(Self.skipPlain(span, from: index, seen: &seen), end)
                output.append(contentsOf: bytes[index..<run])
                index = run
                continue
            }
            // `scanString` never lets a backslash be the last byte.
            let escape = span[index + 1]
            if escape == UInt8(ascii: "u") {
                index = try Self.appendCodePoint(span, at: index, end: end, to: &output)
                continue
            }
            guard let plain = Self.plain(escape) else {
                throw JSONError(reason: .invalidEscape, offset: index)
            }
            output.append(plain)
            index += 2
        }
        return String(decoding: output, as: UTF8.self)
    }

    private static func plain(_ escape: UInt8) -> UInt8? {
        switch escape {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): escape
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0C
        case UInt8(ascii: "n"): 0x0A
        case UInt8(ascii: "r"): 0x0D
        case UInt8(ascii: "t"): 0x09
        default: nil
        }
    }

    /// Appends the code point of the `\u` escape at `index`, a surrogate pair included, and returns
    /// the offset after it.
    private static func appendCodePoint(
        _ span: Span<UInt8>, at index: Int, end: Int, to output: inout [UInt8]
    ) throws(JSONError) -> Int {
        guard let first = hex4(span, from: index + 2, end: end) else {
            throw JSONError(reason: .invalidEscape, offset: index)
        }
        if let scalar = UnicodeScalar(first) {
            output.append(contentsOf: UTF8.encode(scalar)!)
            return index + 6
        }
        let next = index + 6
        guard first < 0xDC00, next + 6 <= end, span[next] == UInt8(ascii: "\\"),
            span[next + 1] == UInt8(ascii: "u"),
            let second = hex4(span, from: next + 2, end: end), (0xDC00...0xDFFF) ~= second
        else {
            throw JSONError(reason: .loneSurrogate, offset: index)
        }
        let code = 0x1_0000 + (first - 0xD800) << 10 + (second - 0xDC00)
        guard let scalar = UnicodeScalar(code) else {
            throw JSONError(reason: .loneSurrogate, offset: index)
        }
        output.append(contentsOf: UTF8.encode(scalar)!)
        return next + 6
    }

    private static func hex4(_ span: Span<UInt8>, from start: Int, end: Int) -> UInt32? {
        guard start + 4 <= end else { return nil }
        var value: UInt32 = 0
        for index in start..<start + 4 {
            let byte = span[index]
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
            default: return nil
            }
            value = value << 4 | UInt32(digit)
        }
        return value
    }
}
