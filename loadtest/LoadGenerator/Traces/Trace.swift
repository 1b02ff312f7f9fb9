/// Requests as they were recorded somewhere: when each came, how long it was, and which beginning
/// it had in common with others. No texts.
package struct Trace: Sendable, Equatable {
    package struct Record: Sendable, Equatable {
        /// Nanoseconds from the trace's start; records are in this order.
        package var instant: UInt64
        /// Tokens of the prompt.
        package var input: Int
        /// Tokens of the answer, at least 1.
        package var output: Int
        /// What the prompt's blocks of `blockTokens` are called; the last may be shorter. Equal
        /// names mean equal prompts up to that block's end.
        package var blocks: [UInt64] = []
        /// The class of the mix that it belongs to; nil: one by weight.
        package var className: String?

        package init(
            instant: UInt64, input: Int, output: Int, blocks: [UInt64] = [],
            className: String? = nil
        ) {
            self.instant = instant
            self.input = input
            self.output = output
            self.blocks = blocks
            self.className = className
        }
    }

    /// Of a prompt or an answer, as it was recorded.
    package static let tokensMax = 100_000_000
    /// Of a record's time, and of what a replay makes of it: 31 years.
    package static let millisecondsMax = 1e12
    /// Names of blocks, of all records together; a trace with more is refused.
    package static let blocksMax = 50_000_000

    /// Tokens of a block; of no meaning where no record has blocks.
    package var blockTokens: Int
    package private(set) var records: [Record]

    /// Orders the records by time, those of one instant as they are given, and lets the first
    /// begin the trace.
    package init(blockTokens: Int = 512, records: [Record]) {
        precondition(blockTokens > 0, "a block has tokens: \(blockTokens)")
        self.blockTokens = blockTokens
        let sorted = records.enumerated().sorted {
            ($0.element.instant, $0.offset) < ($1.element.instant, $1.offset)
        }.map(\.element)
        let start = sorted.first?.instant ?? 0
        self.records = sorted.map { record in
            var shifted = record
            shifted.instant -= start
            return shifted
        }
    }

    /// From the first record to the last.
    package var seconds: Double { Double(records.last?.instant ?? 0) / 1e9 }
}

/// What is wrong with a trace's file, or with how it is to be played.
package struct TraceError: Error, Equatable, CustomStringConvertible {
    /// From 1; 0 when it has no place.
    package var line: Int
    package var message: String

    package var description: String { line == 0 ? message : "line \(line): \(message)" }
}

/// How a trace is played again.
package struct TraceReplay: Sendable, Equatable {
    package let trace: Trace
    package let timeScale: Double
    /// Times the recorded lengths of prompts. Blocks shrink with their prompts and stay common to
    /// them.
    package let promptScale: Double
    package let outputScale: Double
    /// When requests come, in nanoseconds from the load's start.
    package let instants: [UInt64]

    /// `timeScale`: times the recorded time; 0.1 plays it ten times as fast. Throws when a scaled
    /// time or length is out of bounds.
    package init(
        _ trace: Trace, timeScale: Double = 1, promptScale: Double = 1, outputScale: Double = 1
    ) throws(TraceError) {
        let milliseconds = Double(trace.records.last?.instant ?? 0) / 1e6 * timeScale
        guard (0...Trace.millisecondsMax).contains(milliseconds) else {
            throw TraceError(
                line: 0,
                message: "\(milliseconds) ms long with time scale \(timeScale); at most "
                    + "\(Trace.millisecondsMax)")
        }
        let input = Double(trace.records.map(\.input).max() ?? 0) * promptScale
        guard (0...Double(TrafficClass.promptTokensMax)).contains(input) else {
            throw TraceError(
                line: 0,
                message: "a prompt of \(input) tokens with prompt scale \(promptScale); "
                    + "at most \(TrafficClass.promptTokensMax)")
        }
        let output = Double(trace.records.map(\.output).max() ?? 0) * outputScale
        guard (0...Double(Trace.tokensMax)).contains(output) else {
            throw TraceError(
                line: 0,
                message: "an answer of \(output) tokens with output scale "
                    + "\(outputScale); at most \(Trace.tokensMax)")
        }
        self.trace = trace
        self.timeScale = timeScale
        self.promptScale = promptScale
        self.outputScale = outputScale
        instants = trace.records.map { UInt64(Double($0.instant) * timeScale) }
    }

    /// The first class that records name and `classes` do not have.
    package func unknownClass(in classes: [TrafficClass]) -> String? {
        let names = Set(classes.compactMap(\.name))
        return trace.records.lazy.compactMap(\.className).first { !names.contains($0) }
    }
}
