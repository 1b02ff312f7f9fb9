/// The six kinds of JSON value.
package enum JSONKind: String, Hashable, Sendable {
    case object
    case array
    case string
    case number
    case boolean
    case null
}

/// Why a document, or a value asked for, could not be read, and where.
package struct JSONError: Error, Hashable, Sendable {
    package enum Reason: Hashable, Sendable {
        // Not JSON (RFC 8259), or over a limit.
        /// `found` is nil at the end of the document.
        case unexpected(expected: Expected, found: UInt8?)
        case tooDeep(limit: Int)
        case stringTooLong(limitBytes: Int)
        case numberTooLong(limitBytes: Int)
        case invalidEscape
        /// `\uD800`...`\uDFFF` that is not one half of a pair (RFC 7493 §2.1 forbids it).
        case loneSurrogate
        /// U+0000...U+001F must be escaped inside a string.
        case controlCharacter(UInt8)
        case invalidUTF8
        // JSON, but not what the caller asked for.
        case wrongType(expected: JSONKind, found: JSONKind)
        case notAnInteger
        /// Beyond Int64, or beyond the largest finite Double.
        case outOfRange
    }

    /// What the grammar allowed at the offset.
    package enum Expected: String, Hashable, Sendable {
        case value = "a value"
        case key = "a key in quotes"
        case keyOrEnd = "a key in quotes or '}'"
        case colon = "':'"
        case commaOrObjectEnd = "',' or '}'"
        case commaOrArrayEnd = "',' or ']'"
        case quote = "'\"'"
        case digit = "a digit"
        case endOfDocument = "the end of the document"
    }

    package var reason: Reason
    /// Byte offset from the document's start, 0-based.
    package var offset: Int

    /// Whether the document itself is at fault, and not only a value's type.
    package var isMalformed: Bool {
        switch reason {
        case .wrongType, .notAnInteger, .outOfRange: false
        default: true
        }
    }
}

extension JSONError: CustomStringConvertible {
    package var description: String {
        switch reason {
        case .unexpected(let expected, let found):
            "expected \(expected.rawValue) at byte \(offset), found \(Self.name(found))"
        case .tooDeep(let limit): "nested deeper than \(limit) at byte \(offset)"
        case .stringTooLong(let limit): "string longer than \(limit) bytes at byte \(offset)"
        case .numberTooLong(let limit): "number longer than \(limit) bytes at byte \(offset)"
        case .invalidEscape: "invalid escape at byte \(offset)"
        case .loneSurrogate: "unpaired surrogate escape at byte \(offset)"
        case .controlCharacter(let byte):
            "unescaped control character \(Self.name(byte)) at byte \(offset)"
        case .invalidUTF8: "invalid UTF-8 at byte \(offset)"
        case .wrongType(let expected, let found):
            "expected \(expected.rawValue), found \(found.rawValue)"
        case .notAnInteger: "expected an integer, found a number with a fraction"
        case .outOfRange: "number out of range"
        }
    }

    private static func name(_ byte: UInt8?) -> String {
        guard let byte else { return "the end" }
        if byte > 0x20, byte < 0x7F { return "'\(Character(UnicodeScalar(byte)))'" }
        let digits = String(byte, radix: 16, uppercase: true)
        return "0x" + (digits.utf8.count == 1 ? "0" : "") + digits
    }
}
