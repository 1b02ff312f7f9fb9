/// Reads a streamed chat completion as cheaply as possible: finds `data:` lines and looks at the
/// keys in them, without parsing JSON.
///
/// Strings are skipped whole, so that what looks like a key inside of one is none, and one is a key
/// when a colon follows it. Events may be split at any byte. One value per response; owned by the
/// connection's loop.
package struct SSEScanner {
    package private(set) var tally = AnswerTally()
    /// Whether `tally.text` is filled, with JSON's escapes as they are.
    var keepsText = false

    /// The beginning of a line whose end has not arrived.
    private var partialLine: [UInt8] = []
    /// A longer line counts as an error: memory per stream stays bounded.
    package static let lineBytesMax = 1 << 20

    package init() {}

    /// Takes the next bytes and returns how many content deltas ended in them.
    package mutating func scan(_ bytes: Span<UInt8>) -> Int {
        let before = tally.deltas
        var start = 0
        if !partialLine.isEmpty {
            start = Self.index(of: Self.newline, in: bytes, from: 0)
            append(bytes.extracting(0..<start))
            guard start < bytes.count else { return 0 }
            start += 1
            // Taken out, so that scanning may change `self`, and put back for its memory.
            var line: [UInt8] = []
            swap(&line, &partialLine)
            scanLine(line.span)
            line.removeAll(keepingCapacity: true)
            swap(&line, &partialLine)
        }
        while start < bytes.count {
            let end = Self.index(of: Self.newline, in: bytes, from: start)
            guard end < bytes.count else { break }
            scanLine(bytes.extracting(start..<end))
            start = end + 1
        }
        if start < bytes.count { append(bytes.extracting(start..<bytes.count)) }
        return tally.deltas - before
    }

    private mutating func append(_ bytes: Span<UInt8>) {
        guard partialLine.count + bytes.count <= Self.lineBytesMax else {
            tally.hasError = true
            return
        }
        partialLine.reserveCapacity(partialLine.count + bytes.count)
        for index in bytes.indices { partialLine.append(bytes[index]) }
    }

    private mutating func scanLine(_ line: Span<UInt8>) {
        guard line.count > 1 else { return }
        switch line[0] {
        case Self.colon:
            tally.comments += 1
        case UInt8(ascii: "d") where Self.matches(line, at: 0, "data:"):
            scanPayload(line)
        case UInt8(ascii: "e") where Self.matches(line, at: 0, "error:"):
            // llama-server's own kind of error event.
            tally.hasError = true
        default:
            break
        }
    }

    private mutating func scanPayload(_ line: Span<UInt8>) {
        var index = Self.skipSpace(line, 5)
        if Self.matches(line, at: index, "[DONE]") {
            tally.isDone = true
            return
        }
        while true {
            let start = Self.index(of: Self.quote, in: line, from: index) + 1
            let end = Self.endOfString(line, start)
            guard end < line.count else { return }
            index = Self.skipSpace(line, end + 1)
            guard index < line.count, line[index] == Self.colon else { continue }
            index = Self.skipSpace(line, index + 1)
            guard index < line.count else { return }
            index = scanMember(line, key: start..<end, value: index)
        }
    }

    /// Returns where to go on: behind a value that was read, else at its beginning.
    private mutating func scanMember(
        _ line: Span<UInt8>, key: Range<Int>, value: Int
    ) -> Int {
        let start = key.lowerBound
        switch key.count {
        case 5 where Self.matches(line, at: start, "error"):
            if line[value] != UInt8(ascii: "n") { tally.hasError = true }
        case 7 where Self.matches(line, at: start, "content"):
            return scanText(line, value, isAnswer: true)
        case 13 where Self.matches(line, at: start, "finish_reason"):
            scanFinish(line, value)
        case 13 where Self.matches(line, at: start, "prompt_tokens"):
            tally.promptTokens = Self.number(line, value) ?? tally.promptTokens
        case 13 where Self.matches(line, at: start, "cached_tokens"):
            tally.cachedTokens = Self.number(line, value) ?? tally.cachedTokens
        case 17 where Self.matches(line, at: start, "reasoning_content"):
            return scanText(line, value, isAnswer: false)
        case 17 where Self.matches(line, at: start, "completion_tokens"):
            tally.completionTokens = Self.number(line, value) ?? tally.completionTokens
        default: break
        }
        return value
    }

    private mutating func scanText(_ line: Span<UInt8>, _ value: Int, isAnswer: Bool) -> Int {
        guard line[value] == Self.quote else { return value }
        let start = value + 1
        let end = Self.endOfString(line, start)
        guard end > start else { return min(end + 1, line.count) }
        tally.deltas += 1
        if keepsText, isAnswer, tally.text.count + end - start <= AnswerTally.textBytesMax {
            for index in start..<end { tally.text.append(line[index]) }
        }
        return min(end + 1, line.count)
    }

    private mutating func scanFinish(_ line: Span<UInt8>, _ value: Int) {
        guard line[value] == Self.quote else { return }
        if Self.matches(line, at: value + 1, "stop\"") {
            tally.finish = .stop
        } else if Self.matches(line, at: value + 1, "length\"") {
            tally.finish = .length
        } else {
            tally.finish = .other
        }
    }

    // MARK: Bytes

    private static let newline = UInt8(ascii: "\n")
    private static let colon = UInt8(ascii: ":")
    private static let quote = UInt8(ascii: "\"")

    /// The next `byte`, or the end.
    private static func index(of byte: UInt8, in bytes: Span<UInt8>, from start: Int) -> Int {
        var index = start
        while index < bytes.count, bytes[index] != byte { index += 1 }
        return index
    }

    /// Where the quote stands that ends the string which begins at `start`, or the line's end.
    private static func endOfString(_ line: Span<UInt8>, _ start: Int) -> Int {
        var index = start
        while index < line.count {
            let byte = line[index]
            if byte == quote { return index }
            index += byte == UInt8(ascii: "\\") ? 2 : 1
        }
        return line.count
    }

    private static func matches(
        _ line: Span<UInt8>, at index: Int, _ word: String
    ) -> Bool {
        var index = index
        for byte in word.utf8 {
            guard index < line.count, line[index] == byte else { return false }
            index += 1
        }
        return true
    }

    private static func skipSpace(_ line: Span<UInt8>, _ index: Int) -> Int {
        var index = index
        while index < line.count, line[index] == UInt8(ascii: " ") { index += 1 }
        return index
    }

    private static func number(_ line: Span<UInt8>, _ value: Int) -> Int? {
        var position = value
        var number = 0
        // Nine digits are more tokens than any context has, and cannot overflow.
        while position < line.count, position - value < 9,
            case let digit = line[position] &- UInt8(ascii: "0"), digit < 10
        {
            number = number * 10 + Int(digit)
            position += 1
        }
        return position > value ? number : nil
    }
}
