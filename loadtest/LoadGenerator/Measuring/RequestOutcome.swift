/// How a request ended. Instants are nanoseconds of the monotonic clock.
package struct RequestOutcome: Sendable {
    /// When it should have begun, by schedule: latencies count from here.
    package var intended: UInt64
    /// The first content delta; nil without one.
    package var first: UInt64?
    package var end: UInt64
    /// The longest gap between two of its deltas, ns; of a request that still runs also that from
    /// its last delta on.
    package var longestGap: UInt64 = 0
    /// Tokens of the prompt, and those of them that the server did not compute, as `usage` says.
    package var promptTokens = 0
    package var cachedTokens = 0
    /// As `usage` says, else the number of deltas.
    package var outputTokens = 0
    package var deltas = 0
    package var finish: AnswerTally.Finish?
    /// What went wrong, of a small closed set of words; nil: the answer is whole.
    package var failure: String?
    /// The beginning of a failed answer's body.
    package var failureSample = ""
    /// Refused by the server to protect itself: 429, 503, 529, RESOURCE_EXHAUSTED.
    package var wasShed = false
    /// Ended by the scenario itself: neither success nor failure.
    package var wasCancelled = false
    package var bodyBytes = 0

    package init(intended: UInt64, end: UInt64) {
        self.intended = intended
        self.end = end
    }

    /// Intended start to first delta, ns.
    var timeToFirstToken: UInt64? { first.map { $0 > intended ? $0 - intended : 0 } }
    /// Intended start to end, ns.
    var endToEnd: UInt64 { end > intended ? end - intended : 0 }
    /// (end to end - TTFT) / (tokens - 1), ns; nil with fewer than two tokens.
    var timePerOutputToken: UInt64? {
        guard let first, outputTokens > 1, end >= first else { return nil }
        return (end - first) / UInt64(outputTokens - 1)
    }
}
