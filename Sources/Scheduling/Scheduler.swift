package import InferenceTypes

/// Decides which tokens are computed in the next step: slots, KV cells, token budget, prefix reuse
/// and preemption. Pure: time is passed in, results are returned.
///
/// Owned by the engine thread of the live worker, or by a simulator. The caller's loop:
/// `submit`/`cancel`/`pause`/`resume` as messages come in, then `expire`, `schedule`, the engine's
/// `execute`, `complete`, again. One plan is in flight at a time; requests may be submitted,
/// cancelled, paused and resumed meanwhile.
package struct Scheduler: Sendable {
    package init(
        configuration: SchedulerConfiguration, engine: EngineProperties
    ) throws(SchedulerConfigurationError) {
        try configuration.validate(for: engine)
    }

    /// Takes a request into the waiting queue. Past `deadline` it ends with `timeLimit`.
    package mutating func submit(
        _ request: GenerationRequest, key: SequenceKey, deadline: Instant? = nil, now: Instant
    ) throws(SubmitError) {
    }

    /// Ends a request: no further event names it, and its slot is free for the next plan (when a
    /// plan is in flight, for the one after it). Returns its account so far; nil when no such request
    /// is alive.
    @discardableResult
    package mutating func cancel(_ key: SequenceKey, now: Instant) -> FinishedRequest? {
        nil
    }

    /// The reader of a request is slow: it gets no further tokens until `resume`. A step in flight
    /// may still yield one. Its slot and cells are kept while nobody else needs them.
    package mutating func pause(_ key: SequenceKey) {
    }

    package mutating func resume(_ key: SequenceKey) {
    }

    /// Ends requests whose deadline has passed. To be called before `schedule`.
    package mutating func expire(now: Instant) -> [SchedulerEvent] {
        []
    }

    /// The next step, or nil when there is nothing to compute. The caller must execute the plan
    /// and `complete` it before it asks for another.
    package mutating func schedule(now: Instant) -> StepPlan? {
        nil
    }

    /// Takes in what the engine made of the plan in flight.
    package mutating func complete(
        _ plan: StepPlan, _ result: Result<StepResult, EngineError>, now: Instant
    ) -> [SchedulerEvent] {
        []
    }

    package var load: SchedulerLoad { SchedulerLoad() }

    /// Traps when the state contradicts itself. Takes time in proportion to the cache: for tests,
    /// simulation and idle moments.
    package func checkInvariants() {
    }
}
