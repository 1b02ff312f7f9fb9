import Foundation
import InferenceTypes

/// Reads traces of all formats that we know; the first line tells which it is.
package enum TraceReader {
    /// A larger file is refused.
    package static let fileBytesMax = 1 << 30
    /// A file with more, the empty ones included, is refused.
    package static let linesMax = 20_000_000
    /// A trace with a longer line is refused.
    package static let lineBytesMax = 4 << 20

    /// A line that is not empty, with its number from 1.
    struct Line {
        var number: Int
        var text: Substring
    }

    package static func trace(_ text: String) throws(TraceError) -> Trace {
        let lines = try lines(text)
        guard let first = lines.first else { throw TraceError(line: 1, message: "an empty file") }
        if let long = lines.first(where: { $0.text.utf8.count > lineBytesMax }) {
            throw TraceError(line: long.number, message: "more than \(lineBytesMax) bytes")
        }
        let trace =
            if !first.text.hasPrefix("{") {
                try TableTrace.trace(lines)
            } else if first.text.contains(TraceFile.name) {
                try TraceFile.trace(lines)
            } else {
                try MooncakeTrace.trace(lines)
            }
        guard !trace.records.isEmpty else {
            throw TraceError(line: first.number, message: "no requests in it")
        }
        return trace
    }

    /// All lines but the empty ones, whatever ends them.
    static func lines(_ text: String) throws(TraceError) -> [Line] {
        let all = text.split(
            maxSplits: linesMax, omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        guard all.count <= linesMax else {
            throw TraceError(line: 0, message: "more than \(linesMax) lines")
        }
        return all.enumerated().compactMap { index, line in
            line.allSatisfy(\.isWhitespace) ? nil : Line(number: index + 1, text: line)
        }
    }

    /// Checks what all formats have.
    static func record(
        milliseconds: Double, input: Int, output: Int, _ line: Line
    ) throws(TraceError) -> Trace.Record {
        guard milliseconds >= 0, milliseconds <= Trace.millisecondsMax else {
            throw TraceError(line: line.number, message: "no time: \(milliseconds) ms")
        }
        for (name, tokens) in [("input", input), ("output", output)]
        where !(0...Trace.tokensMax).contains(tokens) {
            throw TraceError(line: line.number, message: "no number of \(name) tokens: \(tokens)")
        }
        return Trace.Record(
            instant: UInt64((milliseconds * 1e6).rounded()), input: input,
            output: max(1, output))
    }

    /// A prompt's names of blocks: as many as it has blocks, with `count` names before it.
    static func blocksMax(
        _ input: Int, blockTokens: Int, after count: Int, _ line: Line
    ) throws(TraceError) -> Int {
        let blocks = (input + blockTokens - 1) / blockTokens
        guard count + blocks <= Trace.blocksMax else {
            throw TraceError(
                line: line.number, message: "more than \(Trace.blocksMax) blocks in the file")
        }
        return blocks
    }

    static func decoded<Value: Decodable>(
        _ type: Value.Type, _ line: Line
    ) throws(TraceError) -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(line.text.utf8))
        } catch DecodingError.keyNotFound(let key, _) {
            throw TraceError(line: line.number, message: "\"\(key.stringValue)\" is missing")
        } catch DecodingError.typeMismatch(_, let context),
            DecodingError.valueNotFound(_, let context)
        {
            let key = context.codingPath.map(\.stringValue).joined(separator: ".")
            throw TraceError(line: line.number, message: "\"\(key)\" has a value of another kind")
        } catch {
            throw TraceError(line: line.number, message: "not JSON as expected")
        }
    }
}

/// Mooncake's traces (FAST '25): JSON lines of `timestamp` in ms, `input_length`, `output_length`
/// and `hash_ids`, each of which stands for the prompt up to the end of a block of 512 tokens.
enum MooncakeTrace {
    private static let blockTokens = 512

    private struct Entry: Decodable {
        var timestamp: Double
        var input: Int
        var output: Int
        var blocks: [UInt64]?

        enum CodingKeys: String, CodingKey {
            case timestamp
            case input = "input_length"
            case output = "output_length"
            case blocks = "hash_ids"
        }
    }

    static func trace(_ lines: [TraceReader.Line]) throws(TraceError) -> Trace {
        var records: [Trace.Record] = []
        records.reserveCapacity(lines.count)
        var blocks = 0
        for line in lines {
            let entry = try TraceReader.decoded(Entry.self, line)
            var record = try TraceReader.record(
                milliseconds: entry.timestamp, input: entry.input, output: entry.output, line)
            if let names = entry.blocks {
                // Names behind a prompt's end stand for nothing of it.
                record.blocks = Array(
                    names.prefix(
                        try TraceReader.blocksMax(
                            record.input, blockTokens: blockTokens, after: blocks, line)))
                blocks += record.blocks.count
            }
            records.append(record)
        }
        return Trace(blockTokens: blockTokens, records: records)
    }
}

extension Trace {
    /// Moves each record by a time of its own below `milliseconds`, for traces whose clock was
    /// coarse. The same seed moves them alike.
    package func jittered(milliseconds: Double, seed: UInt64) -> Trace {
        Trace(
            blockTokens: blockTokens,
            records: records.enumerated().map { index, record in
                var moved = record
                let unit = SeededGenerator.unit(seed: seed, counter: UInt64(index) + 1)
                moved.instant += UInt64(unit * milliseconds * 1e6)
                return moved
            })
    }

    /// Its first `count` records.
    package func first(_ count: Int) -> Trace {
        Trace(blockTokens: blockTokens, records: Array(records.prefix(count)))
    }

    /// In our format, which `TraceReader` reads.
    package func text() throws -> String {
        try TraceFile.text(self)
    }
}
