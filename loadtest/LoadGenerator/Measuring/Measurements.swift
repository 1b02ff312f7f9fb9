/// What a run measures, as it goes. Owned by the run's event loop.
///
/// Instants are nanoseconds of the monotonic clock and never go back; `class` is an index into the
/// classes that the run began with. Each request that is `sent` has `ended` or `cutOff` once, last.
package struct Measurements {
    package let classes: [RequestClass]
    package let objective: ServiceLevelObjective
    private(set) var byClass: [ClassMeasurements]
    private(set) var timeline: Timeline
    private(set) var start: UInt64

    /// How late the generator's own timer fired, and how late it sent requests.
    private(set) var timerDelay = LatencyHistogram()
    private(set) var sendDelay = LatencyHistogram()
    /// Gaps of the running streams that overlap a probe's wait for its first token.
    private(set) var interTokenLatencyDuringProbe = LatencyHistogram()
    /// All other gaps of a run with probes.
    private(set) var interTokenLatencyOtherwise = LatencyHistogram()
    private(set) var probeTimeToFirstToken = LatencyHistogram()

    /// Number of failed requests by kind; shed ones also by themselves.
    private(set) var errors: [String: Int] = [:]
    /// Failures of requests that are not measured: of the warm-up, of probes.
    private(set) var otherErrors: [String: Int] = [:]
    private(set) var shedKinds: [String: Int] = [:]
    /// The body of the first failed answer that had one.
    private(set) var errorSample: String?

    /// `classes`: at least one. Nothing is measured before `start`, except failures.
    package init(
        classes: [RequestClass] = [RequestClass()],
        objective: ServiceLevelObjective = ServiceLevelObjective(), start: UInt64 = 0
    ) {
        precondition(!classes.isEmpty, "a run has a class of requests")
        self.classes = classes
        self.objective = objective
        self.start = start
        byClass = Array(repeating: ClassMeasurements(), count: classes.count)
        timeline = Timeline(start: start)
    }

    /// The measurement begins: what was recorded before stays in `otherErrors` alone.
    package mutating func begin(at start: UInt64) {
        var fresh = Measurements(classes: classes, objective: objective, start: start)
        fresh.otherErrors = otherErrors
        fresh.errorSample = errorSample
        self = fresh
    }

    /// The measured time is over.
    package mutating func finish(at end: UInt64) { timeline.finish(at: end) }

    /// A request went out `at` when it was `intended`: the difference is the generator's own fault.
    package mutating func sent(class index: Int, intended: UInt64, at now: UInt64) {
        byClass[index].wasSent()
        sendDelay.record(now > intended ? now - intended : 0)
        timeline.sent(at: now)
    }

    /// The generator's own limit kept a request from being sent: it counts as one that failed.
    package mutating func notSent(class index: Int, kind: String, at now: UInt64) {
        byClass[index].wasNotSent()
        errors[kind, default: 0] += 1
        timeline.notSent(at: now)
    }

    /// The server told how long the request had waited in its queue.
    package mutating func admitted(class index: Int, queueNanoseconds: UInt64) {
        byClass[index].admitted(queue: queueNanoseconds)
    }

    package mutating func firstToken(intended: UInt64, at now: UInt64) {
        timeline.firstToken(now > intended ? now - intended : 0, at: now)
    }

    package mutating func delivered(class index: Int, deltas: Int, at now: UInt64) {
        byClass[index].delivered(deltas)
        timeline.delivered(deltas, at: now)
    }

    /// `duringProbe`: whether the gap overlaps a probe's wait; nil in a run without probes.
    package mutating func gap(
        class index: Int, from: UInt64, to: UInt64, duringProbe: Bool? = nil
    ) {
        let latency = to > from ? to - from : 0
        byClass[index].gap(latency)
        timeline.gap(latency, at: to)
        switch duringProbe {
        case true?: interTokenLatencyDuringProbe.record(latency)
        case false?: interTokenLatencyOtherwise.record(latency)
        case nil: break
        }
    }

    package mutating func ended(class index: Int, _ outcome: RequestOutcome, at now: UInt64) {
        byClass[index].ended(outcome, objective)
        timeline.ended(outcome, isGood: objective.isMet(by: outcome), at: now)
        guard !outcome.wasCancelled, let failure = outcome.failure else { return }
        if outcome.wasShed { shedKinds[failure, default: 0] += 1 }
        errors[failure, default: 0] += 1
        keep(sample: outcome.failureSample)
    }

    /// The request still ran when the measured time ended.
    package mutating func cutOff(class index: Int, _ outcome: RequestOutcome) {
        byClass[index].cutOff(outcome, objective)
    }

    /// A failure outside of the measured requests: a warm-up's, a probe's.
    package mutating func failedOutside(_ kind: String, sample: String) {
        otherErrors[kind, default: 0] += 1
        keep(sample: sample)
    }

    private mutating func keep(sample: String) {
        if errorSample == nil, !sample.isEmpty { errorSample = sample }
    }

    package mutating func probeFirstToken(after nanoseconds: UInt64) {
        probeTimeToFirstToken.record(nanoseconds)
    }

    /// The generator's timer fired so late.
    package mutating func timerFired(late nanoseconds: UInt64, at now: UInt64) {
        timerDelay.record(nanoseconds)
        timeline.roll(to: now)
    }

    /// The watched processes used so much CPU time between two instants; nil: not known.
    package mutating func used(cpuSeconds: [Double?], from: UInt64, to: UInt64) {
        timeline.used(cpuSeconds: cpuSeconds, from: from, to: to)
    }

    mutating func pointsClosed(by now: UInt64) -> [Timeline.Point] {
        timeline.roll(to: now)
        return timeline.points
    }

    /// All classes together.
    var total: ClassMeasurements { combined { _ in true } }

    /// The classes of which `isIncluded` holds, together.
    func combined(_ isIncluded: (RequestClass) -> Bool) -> ClassMeasurements {
        var sum = ClassMeasurements()
        for (each, measured) in zip(classes, byClass) where isIncluded(each) { sum.add(measured) }
        return sum
    }
}
