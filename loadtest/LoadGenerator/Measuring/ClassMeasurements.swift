/// What is measured of the requests of one class, or of several together. Owned by the run's event
/// loop. Latencies are those of whole answers, except ITL, which is recorded as it happens.
struct ClassMeasurements {
    // Nil until something is recorded: a run may have a thousand classes.
    private(set) var timeToFirstToken: LatencyHistogram?
    private(set) var interTokenLatency: LatencyHistogram?
    private(set) var timePerOutputToken: LatencyHistogram?
    private(set) var endToEnd: LatencyHistogram?
    private(set) var queueDelay: LatencyHistogram?

    private(set) var sent = 0
    private(set) var succeeded = 0
    /// All that failed, shed and unsent ones included.
    private(set) var failed = 0
    /// Arrivals that the generator's own limit kept back; they are not in `sent`.
    private(set) var notSent = 0
    private(set) var shed = 0
    private(set) var cancelled = 0
    private(set) var cutOff = 0
    /// Whole answers within the objective, and requests that count for it: those that ended or
    /// were not sent, and those cut off that could not have met it any more.
    private(set) var good = 0
    private(set) var judged = 0
    private(set) var stopped = 0
    private(set) var reachedLength = 0
    /// Deltas as they come, corrected by each answer's usage when it ends.
    private(set) var outputTokens = 0
    private(set) var outputDeltas = 0
    private(set) var promptTokens = 0
    private(set) var cachedTokens = 0
    private(set) var bodyBytes = 0

    mutating func wasSent() { sent += 1 }
    mutating func admitted(queue nanoseconds: UInt64) { queueDelay.record(nanoseconds) }
    mutating func gap(_ nanoseconds: UInt64) { interTokenLatency.record(nanoseconds) }

    mutating func delivered(_ deltas: Int) {
        outputDeltas += deltas
        outputTokens += deltas
    }

    mutating func wasNotSent() {
        notSent += 1
        failed += 1
        judged += 1
    }

    mutating func ended(_ outcome: RequestOutcome, _ objective: ServiceLevelObjective) {
        if outcome.wasCancelled {
            cancelled += 1
            return
        }
        judged += 1
        if outcome.failure != nil {
            failed += 1
            shed += outcome.wasShed ? 1 : 0
            return
        }
        succeeded += 1
        good += objective.isMet(by: outcome) ? 1 : 0
        bodyBytes += outcome.bodyBytes
        outputTokens += outcome.outputTokens - outcome.deltas
        promptTokens += outcome.promptTokens
        cachedTokens += outcome.cachedTokens
        switch outcome.finish {
        case .stop: stopped += 1
        case .length: reachedLength += 1
        case .other, nil: break
        }
        endToEnd.record(outcome.endToEnd)
        if let latency = outcome.timeToFirstToken { timeToFirstToken.record(latency) }
        if let latency = outcome.timePerOutputToken { timePerOutputToken.record(latency) }
    }

    mutating func cutOff(_ outcome: RequestOutcome, _ objective: ServiceLevelObjective) {
        cutOff += 1
        judged += objective.canBeMet(by: outcome) ? 0 : 1
        if let latency = outcome.timeToFirstToken { timeToFirstToken.record(latency) }
    }

    /// nil: nothing was judged.
    var goodFraction: Double? { judged > 0 ? Double(good) / Double(judged) : nil }

    mutating func add(_ other: ClassMeasurements) {
        timeToFirstToken.add(other.timeToFirstToken)
        interTokenLatency.add(other.interTokenLatency)
        timePerOutputToken.add(other.timePerOutputToken)
        endToEnd.add(other.endToEnd)
        queueDelay.add(other.queueDelay)
        sent += other.sent
        succeeded += other.succeeded
        failed += other.failed
        notSent += other.notSent
        shed += other.shed
        cancelled += other.cancelled
        cutOff += other.cutOff
        good += other.good
        judged += other.judged
        stopped += other.stopped
        reachedLength += other.reachedLength
        outputTokens += other.outputTokens
        outputDeltas += other.outputDeltas
        promptTokens += other.promptTokens
        cachedTokens += other.cachedTokens
        bodyBytes += other.bodyBytes
    }
}

extension Optional where Wrapped == LatencyHistogram {
    mutating func record(_ nanoseconds: UInt64) {
        // In place: a copy of the histogram for each sample would cost microseconds.
        if self == nil { self = LatencyHistogram() }
        self?.record(nanoseconds)
    }

    mutating func add(_ other: LatencyHistogram?) {
        guard let other else { return }
        if self == nil { self = LatencyHistogram() }
        self?.add(other)
    }
}
