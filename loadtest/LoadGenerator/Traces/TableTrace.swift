/// Traces in tables of comma-separated values whose first line names the columns: Azure's LLM
/// inference traces, the same with times in ms, and BurstGPT's.
enum TableTrace {
    private enum Clock {
        case milliseconds, seconds
        /// `2023-11-16 18:15:46.6805900`, of one time zone.
        case date
    }

    private struct Row {
        var milliseconds: Double
        var input: Int
        var output: Int
        var line: TraceReader.Line
    }

    private static let clocks: [(name: String, clock: Clock)] = [
        ("arrival_ms", .milliseconds), ("TIMESTAMP", .date), ("Timestamp", .seconds),
    ]
    private static let inputs = ["input_tokens", "ContextTokens", "Request tokens"]
    private static let outputs = ["output_tokens", "GeneratedTokens", "Response tokens"]

    static func trace(_ lines: [TraceReader.Line]) throws(TraceError) -> Trace {
        guard let header = lines.first else { throw TraceError(line: 1, message: "no header") }
        let names = CommaSeparated.cells(header.text)
        guard let time = clocks.first(where: { names.contains($0.name) }),
            let timeColumn = names.firstIndex(of: time.name),
            let inputColumn = names.firstIndex(where: inputs.contains),
            let outputColumn = names.firstIndex(where: outputs.contains)
        else {
            throw TraceError(
                line: header.number,
                message: "no known format: neither JSON nor columns such as \"TIMESTAMP,"
                    + "ContextTokens,GeneratedTokens\" or \"arrival_ms,input_tokens,"
                    + "output_tokens\"")
        }
        var rows: [Row] = []
        rows.reserveCapacity(lines.count)
        for line in lines.dropFirst() {
            let values = CommaSeparated.cells(line.text)
            guard values.count == names.count else {
                throw TraceError(
                    line: line.number,
                    message: "\(values.count) columns, and the header has \(names.count)")
            }
            guard let milliseconds = Self.milliseconds(values[timeColumn], time.clock) else {
                throw TraceError(
                    line: line.number, message: "no time: \"\(values[timeColumn].prefix(40))\"")
            }
            guard let input = Int(values[inputColumn]), let output = Int(values[outputColumn])
            else {
                throw TraceError(line: line.number, message: "expected numbers of tokens")
            }
            rows.append(
                Row(milliseconds: milliseconds, input: input, output: output, line: line))
        }
        let start = rows.map(\.milliseconds).min() ?? 0
        var records: [Trace.Record] = []
        records.reserveCapacity(rows.count)
        for row in rows {
            records.append(
                try TraceReader.record(
                    milliseconds: row.milliseconds - start, input: row.input, output: row.output,
                    row.line))
        }
        return Trace(records: records)
    }

    private static func milliseconds(_ text: String, _ clock: Clock) -> Double? {
        switch clock {
        case .milliseconds: Double(text)
        case .seconds: Double(text).map { $0 * 1_000 }
        case .date: date(text)
        }
    }

    /// Milliseconds from 1970-01-01; fractions of any length. A time zone at the end is left out.
    private static func date(_ text: String) -> Double? {
        let parts = text.split(maxSplits: 1) { $0 == " " || $0 == "T" }
        guard parts.count == 2 else { return nil }
        let day = parts[0].split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
        let clock = parts[1].prefix { $0 != "+" && $0 != "Z" && $0 != "-" }.split(separator: ":")
        guard day.count == 3, let year = day[0], (1...9_999).contains(year),
            let month = day[1], (1...12).contains(month),
            let ofMonth = day[2], (1...31).contains(ofMonth),
            clock.count == 3, let hours = Int(clock[0]), (0...23).contains(hours),
            let minutes = Int(clock[1]), (0...59).contains(minutes),
            // A leap second has the number 60.
            let seconds = Double(clock[2]), (0..<61).contains(seconds)
        else { return nil }
        let wholeSeconds = (days(year, month, ofMonth) * 24 + hours) * 3_600 + minutes * 60
        return Double(wholeSeconds) * 1_000 + seconds * 1_000
    }

    /// From 1970-01-01, in the Gregorian calendar: years begin in March, so that the leap day is
    /// the last.
    private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let year = month <= 2 ? year - 1 : year
        let era = (year >= 0 ? year : year - 399) / 400
        let ofEra = year - era * 400
        let ofYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + ofEra * 365 + ofEra / 4 - ofEra / 100 + ofYear - 719_468
    }
}
