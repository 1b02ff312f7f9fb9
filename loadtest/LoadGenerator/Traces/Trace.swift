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

    package static let tokensMax = 100_000_000
    package static let millisecondsMax = 1e12

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

/// What is wrong with a trace's file.
package struct TraceError: Error, Equatable, CustomStringConvertible {
    /// From 1.
    package var line: Int
    package var message: String

    package var description: String { "line \(line): \(message)" }
}

/// How a trace is played again.
package struct TraceReplay: Sendable, Equatable {
    package var trace: Trace
    /// Times the recorded time: 0.1 plays ten times as fast.
    package var timeScale = 1.0
    /// Times the recorded lengths. Blocks shrink with their prompts and stay common to them.
    package var promptScale = 1.0
    package var outputScale = 1.0

    package init(_ trace: Trace) {
        self.trace = trace
    }

    /// The instants, in nanoseconds from the load's start.
    package var instants: [UInt64] {
        trace.records.map { UInt64(Double($0.instant) * timeScale) }
    }
}
