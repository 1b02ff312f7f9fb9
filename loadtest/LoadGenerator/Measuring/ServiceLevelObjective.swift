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

    /// Of a request that has ended.
    func isMet(by outcome: RequestOutcome) -> Bool {
        canBeMet(by: outcome) && Self.holds(outcome.timePerOutputToken ?? 0, timePerOutputToken)
    }

    /// Of a request that still runs, whose `end` is now: whether it may yet become good. Its time
    /// for a token is a mean over all of them, which later ones may lower.
    func canBeMet(by outcome: RequestOutcome) -> Bool {
        let untilFirst = outcome.timeToFirstToken ?? outcome.endToEnd
        return Self.holds(untilFirst, timeToFirstToken)
            && Self.holds(outcome.longestGap, interTokenLatency)
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
            limit.map { "\(name) <= \($0 == $0.rounded() ? Decimals.text($0, 0) : "\($0)") ms" }
        }.joined(separator: ", ")
    }
}
