package import InferenceTypes

extension Scheduler {
    /// The next step, or nil when there is nothing to compute. The caller must execute the plan
    /// and `complete` it before it asks for another.
    package mutating func schedule(now: Instant) -> StepPlan? {
        precondition(inFlightNumber == nil, "a plan is in flight")
        while true {
            admit(now: now)
            var plan = StepPlan()
            inFlight.removeAll(keepingCapacity: true)
            planDecodes(&plan)
            planPrefills(&plan, now: now)
            if !plan.entries.isEmpty {
                issue(&plan)
                return plan
            }
            // Prompts have filled the cache and none can go on: the newest starts over, later.
            guard slots.contains(where: { $0 >= 0 && !self[$0].isPaused }), let victim = victim()
            else { return nil }
            preempt(victim)
        }
    }

    /// Every running sequence's newest token.
    private mutating func planDecodes(_ plan: inout StepPlan) {
        var count = slots.count { isDecode($0) }
        while cache.freeCells + cache.idleCells < count {
            guard let victim = victim() else { preconditionFailure("nobody runs") }
            preempt(victim)
            count = slots.count { isDecode($0) }
        }
        guard count > 0 else { return }
        plan.entries.reserveCapacity(count + 2)
        plan.tokens.reserveCapacity(count)
        for index in slots where isDecode(index) {
            plan.shape.addDecode(past: self[index].computed)
            add(index, count: 1, to: &plan)
        }
    }

    private func isDecode(_ index: Int) -> Bool {
        index >= 0 && self[index].isDecoding && !self[index].isPaused
    }

    /// How much prefill a step may have.
    private struct Allowance {
        /// Tokens left in the batch.
        var tokens: Int
        /// Cells left.
        var cells: Int
        /// Time left; infinite when nobody decodes.
        var nanoseconds: Double
        /// Tokens granted whatever the time.
        var least: Int
        var longPrefills: Int
    }

    /// A prefill that could go on; least first.
    private struct Candidate: Comparable {
        /// Tokens to compute, less for age, more for a lower tier.
        var score: Int
        var serial: UInt64
        var index: Int

        static func < (left: Candidate, right: Candidate) -> Bool {
            (left.score, left.serial) < (right.score, right.serial)
        }
    }

    /// Chunks of prompts, the shortest first, in what decodes leave of the step.
    private mutating func planPrefills(_ plan: inout StepPlan, now: Instant) {
        let candidates = prefillCandidates(now: now)
        let profile = estimator.profile
        var left = allowance(&plan, profile)
        let decodes = plan.shape.decodes
        for candidate in candidates {
            guard left.tokens > 0, left.cells > 0 else { break }
            let index = candidate.index
            let isLong = self[index].remaining > configuration.longPrefillTokens
            if isLong, left.longPrefills == 0 { continue }
            let count = chunk(index, left, profile)
            if count == 0 { break }
            let past = self[index].computed
            left.tokens -= count
            left.cells -= count
            left.least -= count
            left.nanoseconds -= profile.chunkNanoseconds(count: count, past: past)
            if isLong { left.longPrefills -= 1 }
            plan.shape.addPrefill(count: count, past: past)
            add(index, count: count, to: &plan)
        }
        precondition(plan.shape.decodes == decodes && plan.tokens.count <= plan.budgetTokens)
        plan.predictedNanoseconds = Int64(min(profile.nanoseconds(plan.shape), 1e18))
    }

    private mutating func prefillCandidates(now: Instant) -> [Candidate] {
        var candidates: [Candidate] = []
        var followers: [(leader: Int, score: Int)] = []
        for slot in slots.indices {
            let index = slots[slot]
            guard index >= 0, !self[index].isDecoding, !self[index].isPaused else { continue }
            let waits = awaitsLeader(index)
            let score = score(index, now: now)
            if waits, let leader = self[index].leader {
                followers.append((leader.index, score))
            } else {
                candidates.append(
                    Candidate(score: score, serial: self[index].serial, index: index))
            }
        }
        // Who holds others up is as urgent as they are.
        for follower in followers {
            for place in candidates.indices where candidates[place].index == follower.leader {
                candidates[place].score = min(candidates[place].score, follower.score)
            }
        }
        if candidates.count > 1 { candidates.sort() }
        return candidates
    }

    private func score(_ index: Int, now: Instant) -> Int {
        let rate = configuration.ageingTokensPerMillisecond
        let age = now.nanoseconds(since: Instant(nanoseconds: self[index].virtualArrival))
        return self[index].remaining - Int(age / 1_000_000) * rate
    }

    /// What of the step is left for prefill, by the token budget that keeps the step within the
    /// time between tokens that is aimed for.
    private func allowance(
        _ plan: inout StepPlan, _ profile: AffineStepProfile
    ) -> Allowance {
        let decodes = plan.shape.decodes
        let room = engine.batchTokens - decodes
        var left = Allowance(
            tokens: room, cells: cache.freeCells + cache.idleCells - decodes,
            nanoseconds: .infinity, least: room, longPrefills: configuration.longPrefillsMax)
        if decodes > 0 {
            let meanLength = Double(plan.shape.cacheTokens) / Double(decodes)
            let full = profile.decodeNanoseconds(sequences: slots.count, length: meanLength)
            let target = max(
                Double(configuration.itlTargetNanoseconds),
                configuration.decodeStepMultiple * full)
            let taken = profile.nanoseconds(plan.shape)
            left.nanoseconds = max(
                configuration.targetFraction * target - taken,
                configuration.prefillShareMin * taken)
            left.least = configuration.prefillTokensMin
            let byTime = profile.tokensMax(nanoseconds: left.nanoseconds, limit: room)
            let least = max(
                left.least,
                configuration.prefillChunkTokens.map {
                    $0 + configuration.prefillTailTokensMin - 1
                } ?? 0)
            left.tokens = min(room, max(byTime, least))
        }
        left.tokens = min(left.tokens, max(1, prefillLimit))
        plan.budgetTokens = decodes + left.tokens
        return left
    }

    private func chunk(
        _ index: Int, _ left: Allowance, _ profile: AffineStepProfile
    ) -> Int {
        let remaining = self[index].remaining
        let room = min(left.tokens, left.cells)
        if let fixed = configuration.prefillChunkTokens {
            // All or nothing, unless the engine is short of cells: boundaries are promised.
            let tail = configuration.prefillTailTokensMin
            var count = leavingTail(min(fixed, remaining), of: remaining)
            if remaining > count, remaining - count < tail { count = remaining }
            return count <= room ? count : (prefillLimit < fixed + tail ? room : 0)
        }
        let most = min(remaining, room)
        guard left.nanoseconds < .infinity else { return leavingTail(most, of: remaining) }
        let byTime = profile.largestChunk(
            past: self[index].computed, nanoseconds: left.nanoseconds, limit: most)
        return leavingTail(min(most, max(byTime, left.least)), of: remaining)
    }

    /// A chunk cut short so that what remains after it is not, if both can be long enough.
    private func leavingTail(_ count: Int, of remaining: Int) -> Int {
        let tail = configuration.prefillTailTokensMin
        guard count < remaining, remaining - count < tail, remaining >= 2 * tail else {
            return count
        }
        return remaining - tail
    }

    /// Adds a request's next tokens to the batch; the last known token asks for a sample.
    private mutating func add(_ index: Int, count: Int, to plan: inout StepPlan) {
        let position = self[index].computed
        let isLast = position + count == self[index].tokens.count
        if !self[index].hasSampler { beginSampler(index) }
        let start = plan.tokens.count
        if count == 1 {
            plan.tokens.append(self[index].tokens[position])
        } else {
            plan.tokens.append(contentsOf: self[index].tokens[position..<position + count])
        }
        let sample = SampleRequest(slot: self[index].slot, position: self[index].generatedCount)
        plan.entries.append(
            StepEntry(
                key: self[index].key, sequence: self[index].sequence,
                tokenRange: start..<plan.tokens.count, position: position,
                sample: isLast ? sample : nil, prefixSalt: self[index].prefixSalt))
        inFlight.append(index)
    }

    private mutating func beginSampler(_ index: Int) {
        self[index].hasSampler = true
        let start = SamplerStart(
            key: self[index].key, parameters: self[index].parameters,
            prompt: self[index].tokens[..<self[index].promptCount],
            generated: self[index].tokens[self[index].promptCount...])
        samplerOperations.append(.begin(slot: self[index].slot, start))
    }

    /// Makes room for the batch and hands the plan out.
    private mutating func issue(_ plan: inout StepPlan) {
        reclaim(plan.tokens.count)
        limitIdle(decodes: plan.shape.decodes)
        planNumber += 1
        plan.number = planNumber
        plan.cacheOperations = cacheOperations
        plan.samplerOperations = samplerOperations
        cacheOperations = []
        samplerOperations = []
        for index in inFlight { self[index].isInFlight = true }
        inFlightNumber = planNumber
    }
}
