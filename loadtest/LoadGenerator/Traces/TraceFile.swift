import Foundation

/// Our own format of traces, JSON lines. The first says what it is:
///
///     {"format":"switchyard-trace","version":1,"block_tokens":512}
///     {"ms":0,"in":6758,"out":500,"blocks":"0-13"}
///     {"ms":12.5,"in":7322,"out":490,"blocks":"0,14-27","class":"chat"}
///
/// `blocks` lists names and ranges of names; it and `class` may be missing.
enum TraceFile {
    static let name = "switchyard-trace"
    static let version = 1

    private struct Header: Codable {
        var format: String
        var version: Int
        var blockTokens: Int

        enum CodingKeys: String, CodingKey {
            case format, version
            case blockTokens = "block_tokens"
        }
    }

    private struct Line: Codable {
        var milliseconds: Double
        var input: Int
        var output: Int
        var blocks: String?
        var className: String?

        enum CodingKeys: String, CodingKey {
            case milliseconds = "ms"
            case input = "in"
            case output = "out"
            case blocks
            case className = "class"
        }
    }

    static func text(_ trace: Trace) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        var text = ""
        func append(_ value: some Encodable) throws {
            text += String(decoding: try encoder.encode(value), as: UTF8.self) + "\n"
        }
        try append(Header(format: name, version: version, blockTokens: trace.blockTokens))
        for record in trace.records {
            try append(
                Line(
                    milliseconds: Double(record.instant) / 1e6, input: record.input,
                    output: record.output,
                    blocks: record.blocks.isEmpty ? nil : BlockList.text(record.blocks),
                    className: record.className))
        }
        return text
    }

    static func trace(_ lines: [TraceReader.Line]) throws(TraceError) -> Trace {
        guard let first = lines.first else { throw TraceError(line: 1, message: "no header") }
        let header = try TraceReader.decoded(Header.self, first)
        guard header.version == version else {
            throw TraceError(
                line: first.number,
                message: "version \(header.version); this program reads version \(version)")
        }
        guard (1...Trace.tokensMax).contains(header.blockTokens) else {
            throw TraceError(line: first.number, message: "block_tokens must be positive")
        }
        var records: [Trace.Record] = []
        var count = 0
        for line in lines.dropFirst() {
            let decoded = try TraceReader.decoded(Line.self, line)
            var record = try TraceReader.record(
                milliseconds: decoded.milliseconds, input: decoded.input, output: decoded.output,
                line)
            if let blocks = decoded.blocks {
                let most = try TraceReader.blocksMax(
                    record.input, blockTokens: header.blockTokens, after: count, line)
                guard let names = BlockList.names(blocks, countMax: most) else {
                    throw TraceError(
                        line: line.number,
                        message: "blocks: expected names and ranges as in \"0,14-27\", at most "
                            + "\(most) blocks, got \"\(blocks.prefix(80))\"")
                }
                record.blocks = names
                count += names.count
            }
            record.className = decoded.className
            records.append(record)
        }
        return Trace(blockTokens: header.blockTokens, records: records)
    }
}

/// Names of blocks as text: `0,14-27`.
enum BlockList {
    static func text(_ names: [UInt64]) -> String {
        var parts: [String] = []
        var index = 0
        while index < names.count {
            var last = index
            while last + 1 < names.count, names[last] < .max, names[last + 1] == names[last] + 1 {
                last += 1
            }
            parts.append(
                last == index ? "\(names[index])" : "\(names[index])-\(names[last])")
            index = last + 1
        }
        return parts.joined(separator: ",")
    }

    /// nil when it is no list, or one of more than `countMax` names.
    static func names(_ text: String, countMax: Int) -> [UInt64]? {
        var names: [UInt64] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false)
            guard (1...2).contains(ends.count), let first = UInt64(ends[0]),
                let last = UInt64(ends[ends.count - 1]), last >= first,
                last - first < UInt64(max(0, countMax - names.count))
            else { return nil }
            names.append(contentsOf: first...last)
        }
        return names
    }
}
