package import InferenceTypes

extension Scheduler {
    /// Takes in what the engine made of the plan in flight.
    package mutating func complete(
        _ plan: StepPlan, _ result: Result<StepResult, EngineError>, now: Instant
    ) -> [SchedulerEvent] {
        precondition(plan.number == inFlightNumber, "plan \(plan.number) is not in flight")
        inFlightNumber = nil
        var events = pendingEvents
        pendingEvents = []
        counters.steps += 1
        switch result {
        case .success(let result):
            refusedSteps = 0
            if prefillLimit < engine.batchTokens { prefillLimit *= 2 } else { prefillLimit = .max }
            take(plan, result, now: now, &events)
        case .failure(.noCacheSpace):
            landed()
            retryWithLess(plan, &events)
        case .failure(.failed(let code, let message)):
            landed()
            failAll(.engine(code: code, message: message), &events)
        }
        inFlight.removeAll(keepingCapacity: true)
        return events
    }

    /// The same for a caller that has no errors to report (simulators).
    package mutating func complete(
        _ plan: StepPlan, _ result: StepResult, now: Instant
    ) -> [SchedulerEvent] {
        complete(plan, .success(result), now: now)
    }

    private mutating func take(
        _ plan: StepPlan, _ result: StepResult, now: Instant, _ events: inout [SchedulerEvent]
    ) {
        precondition(result.samples.count == plan.sampleCount, "a sample for each that asked")
        charge(plan, nanoseconds: result.durationNanoseconds)
        estimator.observe(plan.shape, nanoseconds: result.durationNanoseconds)
        counters.busyNanoseconds += result.durationNanoseconds
        counters.prefilledTokens += UInt64(plan.shape.prefillTokens)
        events.reserveCapacity(events.count + plan.entries.count)
        var sampled = 0
        for (place, entry) in plan.entries.enumerated() {
            let index = inFlight[place]
            defer { if entry.sample != nil { sampled += 1 } }
            // The tokens are in the cache even if nobody wants them any more.
            if entry.tokenRange.count == 1 {
                cache.append(entry.sequence, plan.tokens[entry.tokenRange.lowerBound])
            } else {
                cache.append(entry.sequence, plan.tokens[entry.tokenRange])
            }
            let end = entry.position + entry.tokenRange.count
            self[index].computed = end
            self[index].isInFlight = false
            if self[index].isCancelled {
                self.end(index)
                continue
            }
            if !self[index].isDecoding {
                events.append(
                    .prefilled(key: entry.key, positions: entry.position..<end))
            }
            guard let sample = entry.sample else { continue }
            if let failure = result.samplerFailures.first(where: { $0.slot == sample.slot }) {
                fail(index, .sampler(message: failure.message), &events)
            } else {
                emit(index, result.samples[sampled], now: now, &events)
            }
        }
    }

    /// Adds a sampled token to a request, and ends the request if that is its last.
    private mutating func emit(
        _ index: Int, _ sample: SampledToken, now: Instant, _ events: inout [SchedulerEvent]
    ) {
        let position = self[index].generatedCount
        settleAdvance(index)
        self[index].tokens.append(sample.token)
        self[index].isDecoding = true
        self[index].isSpared = false
        if self[index].timing.firstToken == nil { self[index].timing.firstToken = now }
        self[index].timing.lastToken = now
        counters.generatedTokens += 1
        let terminal = terminal(index, sample, position: position)
        events.append(
            .token(
                GeneratedToken(
                    key: self[index].key, token: sample.token, index: position,
                    endsGeneration: terminal != nil, logprob: sample.logprob)))
        if let reason = terminal ?? limit(index, now: now) { finish(index, reason, &events) }
    }

    /// The reason when a token itself ends its request.
    private func terminal(
        _ index: Int, _ sample: SampledToken, position: Int
    ) -> FinishReason? {
        guard position >= self[index].parameters.minTokens else { return nil }
        if sample.isEndOfGeneration, !self[index].parameters.ignoreEndOfSequence {
            return .endOfSequence
        }
        guard self[index].parameters.stopTokens.contains(sample.token) else { return nil }
        return .stopToken(sample.token)
    }

    /// The reason when a request may not go on after the token it got.
    private func limit(_ index: Int, now: Instant) -> FinishReason? {
        if let most = self[index].parameters.maxTokens, self[index].generatedCount >= most {
            return .maxTokens
        }
        if self[index].tokens.count >= requestTokensMax { return .contextFull }
        if let deadline = self[index].deadline, deadline <= now { return .timeLimit }
        return nil
    }

    /// The plan in flight came to nothing: its requests are where they were.
    private mutating func landed() {
        for index in inFlight {
            self[index].isInFlight = false
            if self[index].isCancelled { end(index) }
        }
    }

    /// The engine has less room than the account says: drop prefixes, plan smaller steps, and when
    /// that was tried let somebody wait. A request that is alone and still does not fit is over.
    private mutating func retryWithLess(_ plan: StepPlan, _ events: inout [SchedulerEvent]) {
        counters.cacheSpaceFailures += 1
        refusedSteps += 1
        prefillLimit = max(1, plan.shape.prefillTokens / 2)
        let goal = min(cache.totalCells, cache.freeCells + max(plan.tokens.count, 1))
        if cache.idleCells > 0 {
            while cache.freeCells < goal, let idle = cache.leastRecentlyUsed() { evict(idle) }
            return
        }
        guard refusedSteps > 1 || plan.shape.prefillTokens == 0 else { return }
        if slots.count(where: { $0 >= 0 }) > 1, let victim = victim() {
            preempt(victim)
            while let idle = cache.leastRecentlyUsed() { evict(idle) }
        } else if plan.tokens.count == 1, refusedSteps > Self.refusedStepsMax,
            let last = slots.first(where: { $0 >= 0 })
        {
            finish(last, .contextFull, &events)
        }
    }

    private static var refusedStepsMax: Int { 3 }

    /// The engine is broken: whoever runs fails, whoever waits may run on what replaces it. Nothing
    /// that is in its cache can be trusted.
    private mutating func failAll(
        _ failure: RequestFailure, _ events: inout [SchedulerEvent]
    ) {
        for slot in slots.indices where slots[slot] >= 0 {
            fail(slots[slot], failure, &events)
        }
        while let idle = cache.leastRecentlyUsed() { clear(idle) }
    }
}
