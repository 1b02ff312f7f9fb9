/// How a run goes: what its progress line shows. Rates and latencies are those of the last whole
/// seconds, counts those since its start.
package struct LiveFigures: Sendable, Equatable {
    /// From the measurement's start.
    package var elapsedSeconds = 0.0
    package var succeeded = 0
    package var failed = 0
    package var shed = 0
    package var inFlight = 0
    package var sentPerSecond = 0.0
    package var succeededPerSecond = 0.0
    package var tokensPerSecond = 0.0
    /// Milliseconds.
    package var timeToFirstTokenP50: Double?
    package var timeToFirstTokenP99: Double?
}

extension Measurements {
    /// Rates are means of so many points.
    private static let livePoints = 5

    package mutating func live(at now: UInt64) -> LiveFigures {
        let recent = pointsClosed(by: now).suffix(Self.livePoints)
        var figures = LiveFigures()
        figures.elapsedSeconds = Double(now > start ? now - start : 0) / 1e9
        figures.inFlight = timeline.inFlight
        for each in byClass {
            figures.succeeded += each.succeeded
            figures.failed += each.failed - each.shed
            figures.shed += each.shed
        }
        guard let first = recent.first else { return figures }
        let last = recent.dropFirst().reduce(first) { $0.followed(by: $1) }
        let seconds = Double(last.width) / 1e9
        figures.sentPerSecond = Double(last.sent) / seconds
        figures.succeededPerSecond = Double(last.succeeded) / seconds
        figures.tokensPerSecond = Double(last.tokens) / seconds
        figures.timeToFirstTokenP50 = last.timeToFirstToken.quantile(0.5)
        figures.timeToFirstTokenP99 = last.timeToFirstToken.quantile(0.99)
        return figures
    }
}
