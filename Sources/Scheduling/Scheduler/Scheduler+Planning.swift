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
            if hasSeveralTiers { planTiers(&plan, now: now) }
            if plan.entries.isEmpty {
                planDecodes(&plan)
                planPrefills(&plan, now: now)
            }
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
        guard makeRoomForDecodes() > 0 else { return }
        for index in slots where isDecode(index) { self[index].skippedSteps = 0 }
        addDecodes(to: &plan)
    }

    /// Preempts until each decoding sequence can have a cell. Returns how many decode.
    mutating func makeRoomForDecodes() -> Int {
        var count = slots.count { isDecode($0) }
        while cache.freeCells + cache.idleCells < count {
            guard let victim = victim() else { preconditionFailure("nobody runs") }
            preempt(victim)
            count = slots.count { isDecode($0) }
        }
        return count
    }

    /// Adds the newest token of each decoding sequence that does not skip this step.
    mutating func addDecodes(to plan: inout StepPlan) {
        let count = slots.count { isDecode($0) && self[$0].skippedSteps == 0 }
        plan.entries.reserveCapacity(count + 2)
        plan.tokens.reserveCapacity(count)
        for index in slots where isDecode(index) && self[index].skippedSteps == 0 {
            plan.shape.addDecode(past: self[index].computed)
            add(index, count: 1, to: &plan)
        }
    }

    func isDecode(_ index: Int) -> Bool {
        index >= 0 && self[index].isDecoding && !self[index].isPaused
    }

    /// How much prefill a step may have.
    struct Allowance {
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

    /// How soon a prefill should go on; least first.
    struct Urgency: Comparable {
        var tier: ServiceTier
        /// Engine time that its tenant had for its weight, in quanta, beyond that of who had least.
        var tenantQuanta: Int64
        /// Tokens to compute, less for age.
        var score: Int

        static func < (left: Urgency, right: Urgency) -> Bool {
            (left.tier, left.tenantQuanta, left.score)
                < (right.tier, right.tenantQuanta, right.score)
        }
    }

    /// A prefill that could go on; least first.
    struct Candidate: Comparable {
        var urgency: Urgency
        var serial: UInt64
        var index: Int

        static func < (left: Candidate, right: Candidate) -> Bool {
            (left.urgency, left.serial) < (right.urgency, right.serial)
        }
    }

    /// Chunks of prompts, the shortest first, in what decodes leave of the step.
    private mutating func planPrefills(_ plan: inout StepPlan, now: Instant) {
        let candidates = prefillCandidates(now: now)
        let profile = estimator.profile
        var left = allowance(&plan, profile)
        if let tier = candidates.first?.urgency.tier { limitBackground(&left, tier, plan, profile) }
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

    mutating func prefillCandidates(now: Instant) -> [Candidate] {
        var candidates: [Candidate] = []
        var followers: [(leader: Int, urgency: Urgency)] = []
        for slot in slots.indices {
            let index = slots[slot]
            guard index >= 0, !self[index].isDecoding, !self[index].isPaused else { continue }
            let waits = awaitsLeader(index)
            let urgency = Urgency(
                tier: self[index].tier, tenantQuanta: tenantQuanta(index),
                score: score(index, now: now))
            if waits, let leader = self[index].leader {
                followers.append((leader.index, urgency))
            } else {
                candidates.append(
                    Candidate(urgency: urgency, serial: self[index].serial, index: index))
            }
        }
        // Who holds others up is as urgent as they are.
        for follower in followers {
            for place in candidates.indices where candidates[place].index == follower.leader {
                candidates[place].urgency = min(candidates[place].urgency, follower.urgency)
            }
        }
        if candidates.count > 1 { candidates.sort() }
        return candidates
    }

    func tenantQuanta(_ index: Int) -> Int64 {
        let least = tenants.least(of: self[index].tier) ?? 0
        let ahead = max(0, tenants.virtualTime(self[index].tenant) - least)
        return ahead / configuration.tiers.tenantQuantumNanoseconds
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
            left.nanoseconds = prefillNanoseconds(beside: plan.shape, profile)
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

    /// Time for prefill beside decodes.
    func prefillNanoseconds(
        beside shape: StepShape, _ profile: AffineStepProfile
    ) -> Double {
        let meanLength = Double(shape.cacheTokens) / Double(shape.decodes)
        let full = profile.decodeNanoseconds(sequences: slots.count, length: meanLength)
        let target = max(
            Double(configuration.itlTargetNanoseconds), configuration.decodeStepMultiple * full)
        let taken = profile.nanoseconds(shape)
        return max(
            configuration.targetFraction * target - taken, configuration.prefillShareMin * taken)
    }

    func chunk(
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
    mutating func add(_ index: Int, count: Int, to plan: inout StepPlan) {
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
