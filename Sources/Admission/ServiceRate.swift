package import InferenceTypes

/// How fast the fleet finishes tickets, as an exponential average, to tell refused clients when to
/// come back. Owned by the dispatcher.
package struct ServiceRate: Sendable {
    /// Weight of the newest interval.
    private static let weight = 0.1

    private var meanIntervalNanoseconds: Double?
    private var lastFinish: Instant?

    package init() {}

    /// A ticket has left its worker.
    package mutating func finished(now: Instant) {
        defer { lastFinish = now }
        guard let lastFinish else { return }
        let interval = Double(max(0, now.nanoseconds(since: lastFinish)))
        guard let mean = meanIntervalNanoseconds else {
            meanIntervalNanoseconds = interval
            return
        }
        meanIntervalNanoseconds = mean + Self.weight * (interval - mean)
    }

    /// Predicted time until `waiting` tickets have been handed out; nil before there is a basis.
    package func drainNanoseconds(waiting: Int) -> Int64? {
        guard let mean = meanIntervalNanoseconds else { return nil }
        let total = mean * Double(waiting)
        return total < Double(Int64.max / 2) ? Int64(total) : Int64.max / 2
    }

    /// What `retry-after` says, in whole seconds, 1...60: the time in which the queue should
    /// have half drained, or 1 when nothing is known.
    package func retryAfterSeconds(waiting: Int) -> Int {
        guard let drain = drainNanoseconds(waiting: waiting) else { return 1 }
        return Int(min(max((drain / 2 + 999_999_999) / 1_000_000_000, 1), 60))
    }
}
