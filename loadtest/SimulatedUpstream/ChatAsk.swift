package import NIOCore

/// What of a chat request changes its answer, found by its keys without parsing the JSON.
///
/// `"stream":` cannot stand inside a JSON string, since quotes are escaped there.
package struct ChatAsk: Sendable, Equatable {
    package var isStreamed = false
    /// `stream_options.include_usage`.
    package var wantsUsage = false
    /// `max_completion_tokens` or `max_tokens`, whichever comes last.
    package var maxTokens: Int?

    package init(_ body: ByteBuffer) {
        let bytes = body.readableBytesUInt8Span
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "\"") { read(bytes, at: index + 1) }
            index += 1
        }
    }

    private static let stream = Array("stream\"".utf8)
    private static let includeUsage = Array("include_usage\"".utf8)
    private static let limits = [
        Array("max_tokens\"".utf8), Array("max_completion_tokens\"".utf8),
    ]

    private mutating func read(_ bytes: Span<UInt8>, at index: Int) {
        if let value = Self.value(bytes, index, Self.stream) {
            isStreamed = bytes[value] == UInt8(ascii: "t")
        } else if let value = Self.value(bytes, index, Self.includeUsage) {
            wantsUsage = bytes[value] == UInt8(ascii: "t")
        } else {
            for limit in Self.limits {
                guard let value = Self.value(bytes, index, limit),
                    let number = Self.number(bytes, at: value)
                else { continue }
                maxTokens = number
            }
        }
    }

    /// Where the value of `key` begins, if it stands at `index`.
    private static func value(_ bytes: Span<UInt8>, _ index: Int, _ key: [UInt8]) -> Int? {
        guard index + key.count < bytes.count else { return nil }
        for offset in key.indices where bytes[index + offset] != key[offset] { return nil }
        var position = skipSpace(bytes, index + key.count)
        guard position < bytes.count, bytes[position] == UInt8(ascii: ":") else { return nil }
        position = skipSpace(bytes, position + 1)
        return position < bytes.count ? position : nil
    }

    private static func skipSpace(_ bytes: Span<UInt8>, _ index: Int) -> Int {
        var index = index
        while index < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[index]) { index += 1 }
        return index
    }

    private static func number(_ bytes: Span<UInt8>, at index: Int) -> Int? {
        var number = 0
        var position = index
        while position < bytes.count,
            case let digit = bytes[position] &- UInt8(ascii: "0"), digit < 10
        {
            // More than any answer has; further digits only have to be read.
            number = min(number * 10 + Int(digit), 1_000_000_000)
            position += 1
        }
        return position > index ? number : nil
    }
}
