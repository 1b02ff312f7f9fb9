import InferenceTypes

/// The account of engine time by tenants and tiers.
extension Scheduler {
    /// A request could use the engine from now on.
    mutating func activate(_ index: Int) {
        tiers.activate(self[index].tier)
        tenants.activate(self[index].tenant)
    }

    mutating func deactivate(_ index: Int) {
        tiers.deactivate(self[index].tier)
        tenants.deactivate(self[index].tenant)
    }

    /// Charges a tenant for the prefill of a request that got a slot, so that the next slot is
    /// given with this one in mind; what it really takes is charged as it is used.
    mutating func chargeAdvance(_ index: Int) {
        let past = max(self[index].computed, self[index].leader?.length ?? 0)
        let nanoseconds = estimator.profile.chunkNanoseconds(
            count: self[index].tokens.count - past, past: past)
        self[index].advanceNanoseconds = Int64(min(nanoseconds, Double(TenantShares.chargeMax)))
        tenants.charge(self[index].tenant, self[index].advanceNanoseconds)
    }

    /// Gives back what was charged for prefill that was not needed.
    mutating func settleAdvance(_ index: Int) {
        guard self[index].advanceNanoseconds != 0 else { return }
        tenants.charge(self[index].tenant, -self[index].advanceNanoseconds)
        self[index].advanceNanoseconds = 0
    }

    /// Divides a step's time among its entries as the model of step times has it, the time that
    /// any step takes in equal parts. An engine that takes no time is charged by tokens.
    mutating func charge(_ plan: StepPlan, nanoseconds: Int64) {
        let profile = estimator.profile
        let total = max(nanoseconds, Int64(plan.tokens.count))
        let cost = plan.entries.reduce(0) { $0 + self.cost(of: $1, in: plan, profile) }
        var left = total
        var used = Array(repeating: Int64(0), count: ServiceTier.allCases.count)
        for (place, entry) in plan.entries.enumerated() {
            let index = inFlight[place]
            let part =
                cost > 0
                ? self.cost(of: entry, in: plan, profile) / cost
                : Double(entry.tokenRange.count) / Double(plan.tokens.count)
            let isLast = place == plan.entries.count - 1
            let charge = isLast ? left : min(left, Int64(part * Double(total)))
            left -= charge
            used[Int(self[index].tier.rawValue)] += charge
            let paid = min(charge, self[index].advanceNanoseconds)
            self[index].advanceNanoseconds -= paid
            if charge > paid { tenants.charge(self[index].tenant, charge - paid) }
        }
        tiers.charge(used, of: total)
    }

    private func cost(
        of entry: StepEntry, in plan: StepPlan, _ profile: AffineStepProfile
    ) -> Double {
        let count = entry.tokenRange.count
        let own =
            count == 1
            ? profile.decodeNanoseconds(past: entry.position)
            : profile.chunkNanoseconds(count: count, past: entry.position)
        return own + profile.base / Double(plan.entries.count)
    }
}

extension AffineStepProfile {
    /// What a decode after `past` tokens adds to a step.
    func decodeNanoseconds(past: Int) -> Double {
        perDecode + perCacheToken * Double(past + 1)
    }
}
