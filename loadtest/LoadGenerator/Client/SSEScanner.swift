/// Reads a streamed chat completion as cheaply as possible: finds `data:` lines and looks for a
/// handful of keys in them, without parsing JSON.
///
/// A needle such as `"content":` cannot match inside a JSON string, since quotes are escaped there,
/// so the scan is exact for the keys it knows. Events may be split at any byte. One value per
/// response; owned by the connection's loop.
package struct SSEScanner {
    /// `finish_reason` of the last choice that had one.
    package enum Finish: String, Sendable { case stop, length, other }

    /// Events with a non-empty `content` or `reasoning_content`, so far.
    package private(set) var deltas = 0
    /// Comment lines (`: keepalive`), so far.
    package private(set) var comments = 0
    package private(set) var finish: Finish?
    /// `data: [DONE]` came.
    package private(set) var isDone = false
    /// The stream told an error: a non-null `error` member, or an `error:` line (llama-server).
    package private(set) var hasError = false
    /// From the `usage` object, where the server sends one.
    package private(set) var promptTokens: Int?
    package private(set) var completionTokens: Int?
    package private(set) var cachedTokens: Int?

    /// The beginning of a line whose end has not arrived.
    private var partialLine: [UInt8] = []
    /// A longer line counts as an error: memory per stream stays bounded.
    package static let lineBytesMax = 1 << 20

    package init() {}

    /// Takes the next bytes and returns how many content deltas ended in them.
    package mutating func scan(_ bytes: Span<UInt8>) -> Int {
        let before = deltas
        var start = 0
        if !partialLine.isEmpty {
            while start < bytes.count, bytes[start] != Self.newline { start += 1 }
            append(bytes.extracting(0..<start))
            guard start < bytes.count else { return 0 }
            start += 1
            let line = partialLine
            partialLine.removeAll(keepingCapacity: true)
            scanLine(line.span)
        }
        var index = start
        while index < bytes.count {
            if bytes[index] == Self.newline {
                scanLine(bytes.extracting(start..<index))
                start = index + 1
            }
            index += 1
        }
        append(bytes.extracting(start..<bytes.count))
        return deltas - before
    }

    private mutating func append(_ bytes: Span<UInt8>) {
        guard partialLine.count + bytes.count <= Self.lineBytesMax else {
            hasError = true
            return
        }
        for index in bytes.indices { partialLine.append(bytes[index]) }
    }

    private mutating func scanLine(_ line: Span<UInt8>) {
        guard line.count > 1 else { return }
        switch line[0] {
        case Self.colon:
            comments += 1
        case UInt8(ascii: "d") where Self.matches(line, at: 0, Self.dataPrefix):
            scanPayload(line)
        case UInt8(ascii: "e") where Self.matches(line, at: 0, Self.errorPrefix):
            hasError = true
        default:
            break
        }
    }

    private mutating func scanPayload(_ line: Span<UInt8>) {
        var index = Self.skipSpace(line, Self.dataPrefix.count)
        if Self.matches(line, at: index, Self.done) {
            isDone = true
            return
        }
        while index < line.count - 2 {
            guard line[index] == Self.quote else {
                index += 1
                continue
            }
            index += 1
            switch line[index] {
            case UInt8(ascii: "c"): scanContentOrCount(line, index)
            case UInt8(ascii: "r"):
                if Self.isNonEmptyText(line, index, Self.reasoningContent) { deltas += 1 }
            case UInt8(ascii: "f"): scanFinish(line, index)
            case UInt8(ascii: "p"):
                promptTokens = Self.number(line, index, Self.promptCount) ?? promptTokens
            case UInt8(ascii: "e"):
                if let value = Self.value(line, index, Self.error), line[value] != Self.null {
                    hasError = true
                }
            default: break
            }
        }
    }

    private mutating func scanContentOrCount(_ line: Span<UInt8>, _ index: Int) {
        if Self.isNonEmptyText(line, index, Self.content) {
            deltas += 1
        } else if let count = Self.number(line, index, Self.completionCount) {
            completionTokens = count
        } else if let count = Self.number(line, index, Self.cachedCount) {
            cachedTokens = count
        }
    }

    private mutating func scanFinish(_ line: Span<UInt8>, _ index: Int) {
        guard let value = Self.value(line, index, Self.finishReason), line[value] == Self.quote
        else { return }
        if Self.matches(line, at: value + 1, Self.stop) {
            finish = .stop
        } else if Self.matches(line, at: value + 1, Self.length) {
            finish = .length
        } else {
            finish = .other
        }
    }

    // MARK: Bytes

    private static let newline = UInt8(ascii: "\n")
    private static let colon = UInt8(ascii: ":")
    private static let quote = UInt8(ascii: "\"")
    private static let null = UInt8(ascii: "n")
    private static let dataPrefix = Array("data:".utf8)
    private static let errorPrefix = Array("error:".utf8)
    private static let done = Array("[DONE]".utf8)
    // Keys without their first quote.
    private static let content = Array("content\":".utf8)
    private static let reasoningContent = Array("reasoning_content\":".utf8)
    private static let finishReason = Array("finish_reason\":".utf8)
    private static let promptCount = Array("prompt_tokens\":".utf8)
    private static let completionCount = Array("completion_tokens\":".utf8)
    private static let cachedCount = Array("cached_tokens\":".utf8)
    private static let error = Array("error\":".utf8)
    private static let stop = Array("stop\"".utf8)
    private static let length = Array("length\"".utf8)

    private static func matches(_ line: Span<UInt8>, at index: Int, _ word: [UInt8]) -> Bool {
        guard line.count - index >= word.count else { return false }
        for offset in word.indices where line[index + offset] != word[offset] { return false }
        return true
    }

    private static func skipSpace(_ line: Span<UInt8>, _ index: Int) -> Int {
        var index = index
        while index < line.count, line[index] == UInt8(ascii: " ") { index += 1 }
        return index
    }

    /// Where the value of `key` begins, if `key` stands at `index`.
    private static func value(_ line: Span<UInt8>, _ index: Int, _ key: [UInt8]) -> Int? {
        guard matches(line, at: index, key) else { return nil }
        let value = skipSpace(line, index + key.count)
        return value < line.count ? value : nil
    }

    private static func isNonEmptyText(
        _ line: Span<UInt8>, _ index: Int, _ key: [UInt8]
    ) -> Bool {
        guard let value = value(line, index, key), line[value] == quote else { return false }
        return value + 1 < line.count && line[value + 1] != quote
    }

    private static func number(_ line: Span<UInt8>, _ index: Int, _ key: [UInt8]) -> Int? {
        guard var position = value(line, index, key) else { return nil }
        let start = position
        var number = 0
        // Nine digits are more tokens than any context has, and cannot overflow.
        while position < line.count, position - start < 9,
            case let digit = line[position] &- UInt8(ascii: "0"), digit < 10
        {
            number = number * 10 + Int(digit)
            position += 1
        }
        return position > start ? number : nil
    }
}
