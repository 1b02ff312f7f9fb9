package import InferenceTypes

/// Decides which tokens are computed in the next step: slots, KV cells, token budget, prefix reuse
/// and preemption. Pure: time is passed in, results are returned.
///
/// Owned by the engine thread of the live worker, or by a simulator. The caller's loop:
/// `submit`/`cancel`/`pause`/`resume` as messages come in, then `expire`, `schedule`, the engine's
/// `execute`, `complete`, again. One plan is in flight at a time; requests may be submitted,
/// cancelled, paused and resumed meanwhile.
package struct Scheduler: Sendable {
    let configuration: SchedulerConfiguration
    let engine: EngineProperties
    /// Most tokens of one request.
    let requestTokensMax: Int
    let reusesPrefixes: Bool

    /// Slab; `ended` where no request lives. Its indices name requests inside the scheduler.
    var requests: [ScheduledRequest] = []
    var unusedIndices: [Int] = []
    /// Lookup only, never iterated.
    var indices: [SequenceKey: Int] = [:]
    var queue = WaitingQueue()
    var tenants = TenantShares()
    var tiers: TierShares
    /// Waiting and parked requests, by tier.
    var queued = Array(repeating: 0, count: ServiceTier.allCases.count)
    /// Request index by slot; -1 where free.
    var slots: [Int]
    var cache: SequenceCache
    var estimator: StepTimeEstimator

    var cacheOperations: [CacheOperation] = []
    var samplerOperations: [SamplerOperation] = []
    /// Events of `schedule`, handed out by the next `complete` or `expire`.
    var pendingEvents: [SchedulerEvent] = []
    /// Request indices of the plan in flight, by entry.
    var inFlight: [Int] = []
    /// Number of the plan in flight; nil between steps.
    var inFlightNumber: UInt64?
    var planNumber: UInt64 = 0
    var nextSerial: UInt64 = 0
    /// No deadline is before this; `expire` looks at requests only from then on.
    var earliestDeadline: Instant?
    /// Tokens of waiting requests (an upper bound of what they will have to compute).
    var waitingTokens = 0
    var parkedCount = 0
    /// Steps in a row that the engine refused for lack of cache space.
    var refusedSteps = 0
    /// Most prefill tokens of the next plan; lowered by refused steps.
    var prefillLimit = Int.max
    var lastVictimSerial: UInt64?
    var counters = SchedulerLoad()

    package init(
        configuration: SchedulerConfiguration, engine: EngineProperties
    ) throws(SchedulerConfigurationError) {
        try configuration.validate(for: engine)
        self.configuration = configuration
        self.engine = engine
        requestTokensMax = engine.requestTokensMax
        reusesPrefixes = configuration.prefixReuse && engine.supportsPartialRemoval
        slots = Array(repeating: -1, count: configuration.slots)
        tiers = TierShares(policy: configuration.tiers, slots: configuration.slots)
        cache = SequenceCache(sequences: engine.maxSequences, cells: engine.cacheCells)
        estimator = StepTimeEstimator(
            profile: configuration.stepProfile, forgetting: configuration.forgettingFactor)
    }

    /// Takes a request into the waiting queue. Past `deadline` it ends with `timeLimit`. When its
    /// first token is wanted, `due`, only orders it.
    package mutating func submit(
        _ request: GenerationRequest, key: SequenceKey, deadline: Instant? = nil,
        due: Instant? = nil, now: Instant
    ) throws(SubmitError) {
        guard indices[key] == nil else { throw .duplicateKey }
        guard !request.prompt.isEmpty else { throw .emptyPrompt }
        let limit = requestTokensMax
        guard request.prompt.count < limit else { throw .promptTooLong(limit: limit) }
        guard request.resumedTokens >= 0, request.resumedTokens < request.prompt.count else {
            throw .invalidResume
        }
        guard request.sampling.maxTokens ?? .max > request.resumedTokens else {
            throw .nothingToGenerate
        }
        let policy = configuration.tiers
        let tier = policy.isOn ? request.tier : .standard
        let freeSlots = slots.count { $0 < 0 }
        let ahead = queued[...Int(tier.rawValue)].reduce(0, +)
        guard ahead < configuration.waitingRequestsMax + freeSlots else {
            throw .queueFull(limit: configuration.waitingRequestsMax)
        }
        let tenant = tenants.enter(
            policy.isOn ? request.tenant : "", tier, weight: request.tenantWeight)
        // As if it had come so early that it were due by now, had it no deadline.
        let wanted = [deadline, due].compactMap(\.self).min()
        let arrival = wanted.map { $0.advanced(byNanoseconds: -policy.patienceNanoseconds) } ?? now
        let record = ScheduledRequest(
            key: key, serial: nextSerial, parameters: request.sampling, tier: tier,
            tenant: tenant, deadline: deadline, virtualArrival: min(now, arrival).nanoseconds,
            promptCount: request.prompt.count - request.resumedTokens,
            resumedCount: request.resumedTokens, prefixSalt: request.prefixSalt,
            tenantName: request.tenant,
            tokens: request.prompt,
            timing: RequestTiming(submitted: now))
        nextSerial += 1
        let index = unusedIndices.popLast() ?? requests.count
        if index == requests.count { requests.append(record) } else { requests[index] = record }
        indices[key] = index
        if let deadline { earliestDeadline = min(deadline, earliestDeadline ?? deadline) }
        counters.submittedRequests += 1
        activate(index)
        enqueue(index)
    }

    /// Ends a request: no further event names it, and its slot is free for the next plan (when a
    /// plan is in flight, for the one after it). Returns its account so far; nil when no such
    /// request is alive.
    @discardableResult
    package mutating func cancel(_ key: SequenceKey, now: Instant) -> FinishedRequest? {
        guard let index = indices[key] else { return nil }
        let account = finished(index, .cancelled)
        counters.cancelledRequests += 1
        pendingEvents.removeAll { $0.key == key }
        if self[index].isInFlight {
            self[index].isCancelled = true
            indices[key] = nil
        } else {
            end(index)
        }
        return account
    }

    /// The reader of a request is slow: it gets no further tokens until `resume`. A step in flight
    /// may still yield one. Its slot and cells are kept while nobody else needs them.
    package mutating func pause(_ key: SequenceKey) {
        guard let index = indices[key], !self[index].isPaused else { return }
        self[index].isPaused = true
        deactivate(index)
        if self[index].phase == .waiting {
            dequeue(index)
            park(index)
        }
    }

    /// The reader of a paused request has caught up.
    package mutating func resume(_ key: SequenceKey) {
        guard let index = indices[key], self[index].isPaused else { return }
        self[index].isPaused = false
        activate(index)
        if self[index].phase == .parked {
            unpark(index)
            enqueue(index)
        }
    }

    /// Ends requests whose deadline has passed. To be called before `schedule`, with no plan in
    /// flight.
    package mutating func expire(now: Instant) -> [SchedulerEvent] {
        precondition(inFlightNumber == nil, "a plan is in flight")
        var events = pendingEvents
        pendingEvents = []
        guard let earliestDeadline, earliestDeadline <= now else { return events }
        self.earliestDeadline = nil
        for index in requests.indices {
            guard self[index].phase != .ended, let deadline = self[index].deadline else {
                continue
            }
            if deadline <= now {
                finish(index, .timeLimit, &events)
            } else {
                self.earliestDeadline = min(deadline, self.earliestDeadline ?? deadline)
            }
        }
        return events
    }

    /// Traps when the state contradicts itself. Takes time in proportion to the cache: for tests,
    /// simulation and idle moments.
    package func checkInvariants() {
        checkState()
    }
}

extension Scheduler {
    subscript(index: Int) -> ScheduledRequest {
        _read { yield requests[index] }
        _modify { yield &requests[index] }
    }

    // MARK: The waiting queue

    func item(_ index: Int) -> WaitingQueue.Item {
        let request = self[index]
        return .init(virtualArrival: request.virtualArrival, serial: request.serial, index: index)
    }

    mutating func enqueue(_ index: Int) {
        self[index].phase = .waiting
        waitingTokens += self[index].tokens.count
        queued[Int(self[index].tier.rawValue)] += 1
        queue.insert(item(index), tenant: self[index].tenant, tier: self[index].tier)
    }

    mutating func dequeue(_ index: Int) {
        waitingTokens -= self[index].tokens.count
        queued[Int(self[index].tier.rawValue)] -= 1
        queue.remove(item(index), tenant: self[index].tenant, tier: self[index].tier)
    }

    mutating func park(_ index: Int) {
        self[index].phase = .parked
        queued[Int(self[index].tier.rawValue)] += 1
        parkedCount += 1
    }

    mutating func unpark(_ index: Int) {
        queued[Int(self[index].tier.rawValue)] -= 1
        parkedCount -= 1
    }

    // MARK: Ending

    func finished(_ index: Int, _ reason: FinishReason) -> FinishedRequest {
        let request = self[index]
        return FinishedRequest(
            key: request.key, reason: reason, usage: request.usage, timing: request.timing)
    }

    mutating func finish(_ index: Int, _ reason: FinishReason, _ events: inout [SchedulerEvent]) {
        counters.finishedRequests += 1
        events.append(.finished(finished(index, reason)))
        end(index)
    }

    mutating func fail(_ index: Int, _ failure: RequestFailure, _ events: inout [SchedulerEvent]) {
        counters.failedRequests += 1
        events.append(.failed(key: self[index].key, failure))
        end(index)
    }

    /// Forgets a request that is not in flight and gives back what it holds.
    mutating func end(_ index: Int) {
        switch self[index].phase {
        case .waiting: dequeue(index)
        case .parked: unpark(index)
        case .running: releaseSlot(index)
        case .ended: preconditionFailure("a request ended twice")
        }
        if !self[index].isCancelled { indices[self[index].key] = nil }
        if !self[index].isPaused { deactivate(index) }
        tenants.leave(self[index].tenant)
        self[index].phase = .ended
        self[index].isInFlight = false
        self[index].tokens = []
        unusedIndices.append(index)
    }

    /// Takes slot and sequence from a running request. The sequence stays as an idle prefix.
    mutating func releaseSlot(_ index: Int) {
        let (slot, sequence) = (self[index].slot, self[index].sequence)
        if self[index].hasSampler { samplerOperations.append(.end(slot: slot)) }
        slots[slot] = -1
        tiers.lostSlot(self[index].tier)
        settleAdvance(index)
        self[index].skippedSteps = 0
        self[index].hasSampler = false
        self[index].isDecoding = false
        self[index].leader = nil
        self[index].slot = -1
        self[index].sequence = -1
        self[index].computed = 0
        cache.makeIdle(sequence)
        if !reusesPrefixes || cache.isRedundant(sequence) { clear(sequence) }
    }

    /// Empties a sequence, here and in the engine.
    mutating func clear(_ sequence: SequenceID) {
        if cache.length(sequence) > 0 { cacheOperations.append(.clear(sequence)) }
        cache.free(sequence)
    }
}
