package import NIOCore

/// JSON written straight into the outgoing buffer, without a tree in between.
extension ByteBuffer {
    /// Writes `text` in quotes, escaping what RFC 8259 §7 requires and nothing else.
    package mutating func writeJSONString(_ text: String) {
        writeInteger(UInt8(ascii: "\""))
        writeJSONEscaped(text)
        writeInteger(UInt8(ascii: "\""))
    }

    /// Writes `text` as a string, or `null`.
    package mutating func writeJSONString(orNull text: String?) {
        if let text {
            writeJSONString(text)
        } else {
            writeStaticString("null")
        }
    }

    /// Writes `text` escaped, without quotes, for strings whose quotes are in a prepared part.
    package mutating func writeJSONEscaped(_ text: String) {
        let start = writerIndex
        writeString(text)
        // Most text needs no escape: copy first, then look, and go back only for what does.
        guard let escape = firstJSONEscape(from: start) else { return }
        let rest = Array(readableBytesView[escape...])
        moveWriterIndex(to: escape)
        writeJSONEscaped(bytes: rest)
    }

    /// Where the first byte from `start` on is that needs an escape.
    private func firstJSONEscape(from start: Int) -> Int? {
        var index = start
        while let word = getInteger(at: index, endianness: .little, as: UInt64.self),
            !JSONEscape.isNeeded(inAnyOf: word)
        {
            index &+= 8
        }
        while let byte = getInteger(at: index, as: UInt8.self) {
            if JSONEscape.isNeeded(byte) { return index }
            index &+= 1
        }
        return nil
    }

    /// Copies the runs between bytes that need an escape.
    private mutating func writeJSONEscaped(bytes: [UInt8]) {
        var start = 0
        for index in bytes.indices where JSONEscape.isNeeded(bytes[index]) {
            if start < index { writeBytes(bytes[start..<index]) }
            writeJSONEscape(bytes[index])
            start = index + 1
        }
        if start < bytes.count { writeBytes(bytes[start...]) }
    }

    private mutating func writeJSONEscape(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): writeStaticString("\\\"")
        case UInt8(ascii: "\\"): writeStaticString("\\\\")
        case 0x08: writeStaticString("\\b")
        case 0x09: writeStaticString("\\t")
        case 0x0A: writeStaticString("\\n")
        case 0x0C: writeStaticString("\\f")
        case 0x0D: writeStaticString("\\r")
        default:
            writeStaticString("\\u00")
            writeInteger(Self.hexDigit(byte >> 4))
            writeInteger(Self.hexDigit(byte & 0x0F))
        }
    }

    private static func hexDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }

    package mutating func writeJSONInteger(_ value: some FixedWidthInteger) {
        if let digit = UInt8(exactly: value), digit < 10 {
            writeInteger(UInt8(ascii: "0") + digit)
        } else {
            writeString(String(value))
        }
    }

    package mutating func writeJSONInteger(orNull value: (some FixedWidthInteger)?) {
        if let value {
            writeJSONInteger(value)
        } else {
            writeStaticString("null")
        }
    }

    /// Writes the shortest text that reads back as the same Double; `null` for infinities and NaN,
    /// which JSON cannot say.
    package mutating func writeJSONNumber(_ value: Double) {
        guard value.isFinite else {
            writeStaticString("null")
            return
        }
        writeString(value.description)
    }

    /// As for Double; the shortest text that reads back as the same Float.
    package mutating func writeJSONNumber(_ value: Float) {
        guard value.isFinite else {
            writeStaticString("null")
            return
        }
        writeString(value.description)
    }

    /// Writes a value that is JSON text already, on one line: events hold no line breaks, and
    /// outside of strings, which have none, they are white space.
    mutating func writeJSONText(_ text: String) {
        guard text.utf8.contains(where: { $0 == 0x0A || $0 == 0x0D }) else {
            writeString(text)
            return
        }
        writeBytes(text.utf8.lazy.filter { $0 != 0x0A && $0 != 0x0D })
    }

    package mutating func writeJSONBool(_ value: Bool) {
        writeStaticString(value ? "true" : "false")
    }
}
