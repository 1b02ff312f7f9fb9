import InferenceTypes

/// Steps in which several tiers have work. Better tiers are planned first; what a worse one may
/// add is limited by the target for the time between tokens while a better one decodes, by its own
/// `slowdownMax`, and is never less than it is entitled to in the long run. Its decodes that do not
/// fit skip the step; their KV and their slot stay.
extension Scheduler {
    /// What has been chosen for a step so far.
    private struct TieredStep {
        /// Predicted time.
        var nanoseconds: Double
        /// Of that, chunks of prompts.
        var chunkNanoseconds = 0.0
        /// Prefill tokens and cells left, beyond one for each decode.
        var tokens: Int
        var cells: Int
        /// Prefill time left by the promise to all decodes of tiers that have one.
        var prefillNanoseconds = Double.infinity
        var longPrefills: Int
        var decodes = 0
        var chunks: [(index: Int, count: Int)] = []
    }

    /// What one tier may add.
    private struct TierLimit {
        /// The step may become so long by it.
        var nanoseconds = Double.infinity
        /// Engine time that it is behind its entitlement: pays for one entry beyond the limit.
        var credit = 0.0
        /// Part of the prefill time that is not kept for worse tiers that are behind.
        var fraction = 1.0
        var isBest = true
    }

    var hasSeveralTiers: Bool {
        var first: ServiceTier?
        for index in slots where index >= 0 && !self[index].isPaused {
            guard let known = first else {
                first = self[index].tier
                continue
            }
            if self[index].tier != known { return true }
        }
        return false
    }

    /// Plans nothing where no better tier's entry is possible and no worse one's within its limit.
    mutating func planTiers(_ plan: inout StepPlan, now: Instant) {
        let decodes = makeRoomForDecodes()
        let candidates = prefillCandidates(now: now)
        let profile = estimator.profile
        var step = TieredStep(
            nanoseconds: profile.base,
            tokens: min(engine.batchTokens - decodes, max(1, prefillLimit)),
            cells: cache.freeCells + cache.idleCells - decodes,
            longPrefills: configuration.longPrefillsMax)
        let budget = step.tokens
        var best: ServiceTier?
        for tier in ServiceTier.allCases {
            let decoding = slots.filter { isDecode($0) && self[$0].tier == tier }
            let prefilling = candidates.filter { $0.urgency.tier == tier }
            guard !decoding.isEmpty || !prefilling.isEmpty else { continue }
            if best == nil {
                best = tier
                step.prefillNanoseconds = promisedNanoseconds(best: tier, profile)
            }
            var limit = limit(of: tier, best: best, step, candidates)
            if let first = prefilling.first, !limit.isBest {
                saveForChunk(of: first.index, &limit, step, profile)
            }
            var decodeLimit = limit
            if !prefilling.isEmpty, !limit.isBest {
                // Neither its decodes nor its prompts shall wait for the other.
                let room = limit.nanoseconds - step.nanoseconds
                decodeLimit.nanoseconds = step.nanoseconds + room / 2
            }
            let didDecode = choose(decoding, decodeLimit, profile, &step)
            if !limit.isBest, isForLearning(step) { continue }
            choose(prefilling, limit, didDecode: didDecode, profile, &step)
        }
        addDecodes(to: &plan)
        for (index, count) in step.chunks {
            plan.shape.addPrefill(count: count, past: self[index].computed)
            add(index, count: count, to: &plan)
        }
        plan.budgetTokens = step.decodes + budget
        plan.predictedNanoseconds = Int64(min(profile.nanoseconds(plan.shape), 1e18))
    }

    /// Prompts of worse tiers leave out a step now and then: only steps without any teach what
    /// decodes cost, which all limits here rest on.
    private func isForLearning(_ step: TieredStep) -> Bool {
        step.chunks.isEmpty && step.decodes > 0 && estimator.mixedSteps >= Self.mixedStepsMax
    }

    private static var mixedStepsMax: Int { 32 }

    /// Time for prefill beside the decodes of the best tier and of those that have a promise.
    private func promisedNanoseconds(
        best: ServiceTier, _ profile: AffineStepProfile
    ) -> Double {
        var shape = StepShape()
        for index in slots where isDecode(index) {
            let tier = self[index].tier
            guard tier == best || configuration.tiers[tier].slowdownMax == nil else { continue }
            shape.addDecode(past: self[index].computed)
        }
        return shape.decodes > 0 ? prefillNanoseconds(beside: shape, profile) : .infinity
    }

    private func limit(
        of tier: ServiceTier, best: ServiceTier?, _ step: TieredStep, _ candidates: [Candidate]
    ) -> TierLimit {
        var limit = TierLimit()
        for other in ServiceTier.allCases where other > tier && tiers.credit(other) > 0 {
            guard candidates.contains(where: { $0.urgency.tier == other }) else { continue }
            limit.fraction -= tiers.entitlement(other)
        }
        limit.fraction = max(Self.fractionMin, limit.fraction)
        guard let best, tier != best else { return limit }
        limit.isBest = false
        limit.credit = Double(max(0, tiers.credit(tier)))
        if step.decodes > 0 {
            limit.nanoseconds =
                configuration.targetFraction * Double(configuration.itlTargetNanoseconds)
        }
        if let slowdown = configuration.tiers[tier].slowdownMax {
            // Not in proportion to the chunks of better tiers: those steps are the long ones as is.
            let room = (slowdown - 1) * (step.nanoseconds - step.chunkNanoseconds)
            limit.nanoseconds = min(limit.nanoseconds, step.nanoseconds + room)
        }
        if limit.credit > 0 {
            // Twice its part, to catch up.
            let share = 1 + 2 * tiers.entitlement(tier)
            limit.nanoseconds = max(limit.nanoseconds, share * step.nanoseconds)
        }
        return limit
    }

    /// Where a tier's limit has no room for a chunk that is worth the reading of what precedes it,
    /// the tier spends nothing beyond the limit on single entries. It saves until it can pay for a
    /// step that is filled up to the target, or for the longest that it can save for.
    private func saveForChunk(
        of index: Int, _ limit: inout TierLimit, _ step: TieredStep, _ profile: AffineStepProfile
    ) {
        let reading = profile.perCacheToken * Double(self[index].computed)
        let worthwhile = 2 * reading + profile.perPrefillToken
        guard limit.nanoseconds - step.nanoseconds < worthwhile else { return }
        let target = configuration.targetFraction * Double(configuration.itlTargetNanoseconds)
        let room = min(
            target - step.nanoseconds, step.prefillNanoseconds, Double(tiers.creditMax))
        guard room >= worthwhile else { return }
        if limit.credit >= room {
            limit.nanoseconds = step.nanoseconds + room
        } else {
            limit.credit = 0
        }
    }

    private static var fractionMin: Double { 0.1 }

    /// Chooses decodes of one tier: those of tenants that had least, who skipped longest first.
    /// Returns whether there are any.
    private mutating func choose(
        _ decoding: [Int], _ limit: TierLimit, _ profile: AffineStepProfile,
        _ step: inout TieredStep
    ) -> Bool {
        var order = decoding.map {
            (
                quanta: tenantQuanta($0), waited: -self[$0].skippedSteps, serial: self[$0].serial,
                index: $0
            )
        }
        if !limit.isBest { order.sort { $0 < $1 } }
        let before = step.decodes
        for (_, _, _, index) in order {
            let nanoseconds = profile.decodeNanoseconds(past: self[index].computed)
            let isFirst = step.decodes == before
            let fits = step.nanoseconds + nanoseconds <= limit.nanoseconds
            guard fits || (isFirst && nanoseconds <= limit.credit) else {
                self[index].skippedSteps += 1
                counters.skippedDecodes += 1
                continue
            }
            self[index].skippedSteps = 0
            step.nanoseconds += nanoseconds
            step.decodes += 1
        }
        return step.decodes > before
    }

    /// Chooses chunks of one tier's prompts.
    private func choose(
        _ prefilling: [Candidate], _ limit: TierLimit, didDecode: Bool,
        _ profile: AffineStepProfile, _ step: inout TieredStep
    ) {
        guard !prefilling.isEmpty else { return }
        let isPromised = step.prefillNanoseconds < .infinity
        var left = Allowance(
            tokens: step.tokens, cells: step.cells,
            nanoseconds: min(step.prefillNanoseconds, limit.nanoseconds - step.nanoseconds),
            least: 0, longPrefills: step.longPrefills)
        if let fixed = configuration.prefillChunkTokens {
            if isPromised {
                let least = fixed + configuration.prefillTailTokensMin - 1
                let byTime = profile.tokensMax(nanoseconds: left.nanoseconds, limit: step.tokens)
                left.tokens = min(step.tokens, max(byTime, least))
            }
        } else {
            left.tokens = max(1, Int(limit.fraction * Double(left.tokens)))
            left.nanoseconds *= limit.fraction
        }
        if limit.isBest {
            left.least = isPromised ? configuration.prefillTokensMin : left.tokens
        } else if !didDecode, limit.credit > 0 {
            left.least = 1
        }
        left.tokens = min(step.tokens, left.tokens)
        for candidate in prefilling {
            guard left.tokens > 0, left.cells > 0 else { break }
            let index = candidate.index
            let isLong = self[index].remaining > configuration.longPrefillTokens
            if isLong, left.longPrefills == 0 { continue }
            let count = chunk(index, left, profile)
            let nanoseconds = profile.chunkNanoseconds(count: count, past: self[index].computed)
            // Chunks of a fixed size are cut by no time.
            let isAllowed =
                limit.isBest || nanoseconds <= left.nanoseconds
                || (left.least > 0 && nanoseconds <= max(limit.credit, 0))
            guard count > 0, isAllowed else { break }
            left.tokens -= count
            left.cells -= count
            left.least = max(0, left.least - count)
            left.nanoseconds -= nanoseconds
            if isLong { left.longPrefills -= 1 }
            step.tokens -= count
            step.cells -= count
            step.nanoseconds += nanoseconds
            step.chunkNanoseconds += nanoseconds
            step.prefillNanoseconds -= nanoseconds
            step.longPrefills = left.longPrefills
            step.chunks.append((index, count))
        }
    }

    /// A tier without a promise, alone: its steps are no longer than the target where that can be,
    /// so that a request of a better tier that comes need not wait for longer.
    func limitBackground(
        _ left: inout Allowance, _ tier: ServiceTier, _ plan: StepPlan,
        _ profile: AffineStepProfile
    ) {
        guard let slowdown = configuration.tiers[tier].slowdownMax else { return }
        let taken = profile.nanoseconds(plan.shape)
        let target = configuration.targetFraction * Double(configuration.itlTargetNanoseconds)
        left.nanoseconds = min(left.nanoseconds, max(target - taken, (slowdown - 1) * taken))
        left.least = min(left.least, configuration.prefillTokensMin)
    }
}
