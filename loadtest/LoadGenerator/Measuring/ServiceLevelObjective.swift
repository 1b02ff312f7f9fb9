/// Limits that an answer has to meet to count as good; nil: no limit. Milliseconds.
package struct ServiceLevelObjective: Sendable, Equatable, Codable {
    package var timeToFirstToken: Double?
    /// For each gap of the answer.
    package var interTokenLatency: Double?
    package var timePerOutputToken: Double?
    package var endToEnd: Double?

    package init(
        timeToFirstToken: Double? = nil, interTokenLatency: Double? = nil,
        timePerOutputToken: Double? = nil, endToEnd: Double? = nil
    ) {
        self.timeToFirstToken = timeToFirstToken
        self.interTokenLatency = interTokenLatency
        self.timePerOutputToken = timePerOutputToken
        self.endToEnd = endToEnd
    }

    package var isEmpty: Bool { self == Self() }

    /// Whether nothing that is known of the request breaks a limit. Of a request that still runs:
    /// `end` is now, and false means that it cannot become good any more.
    func isMet(by outcome: RequestOutcome) -> Bool {
        let untilFirst = outcome.timeToFirstToken ?? outcome.endToEnd
        return Self.holds(untilFirst, timeToFirstToken)
            && Self.holds(outcome.longestGap, interTokenLatency)
            && Self.holds(outcome.timePerOutputToken ?? 0, timePerOutputToken)
            && Self.holds(outcome.endToEnd, endToEnd)
    }

    private static func holds(_ nanoseconds: UInt64, _ limit: Double?) -> Bool {
        limit.map { Double(nanoseconds) <= $0 * 1e6 } ?? true
    }

    /// For reports: `TTFT <= 500 ms, ITL <= 50 ms`.
    package var words: String {
        let limits: [(String, Double?)] = [
            ("TTFT", timeToFirstToken), ("ITL", interTokenLatency), ("TPOT", timePerOutputToken),
            ("end to end", endToEnd),
        ]
        return limits.compactMap { name, limit in
            limit.map { "\(name) <= \($0 == $0.rounded() ? "\(Int($0))" : "\($0)") ms" }
        }.joined(separator: ", ")
    }
}
