package import InferenceTypes

/// What a service tier may take of a worker beside others.
package struct TierTerms: Hashable, Sendable {
    /// The tier's entitlement is its part of the weights of all tiers that have work.
    package var weight: Double
    /// It is entitled to this part of the engine's time and slots in any case; 0...0.5.
    package var minimumShare: Double
    /// Most that a step of better tiers may become longer for the sake of this one, as a multiple
    /// of what it takes without chunks of prompts: 1.2 adds a fifth of a step that only decodes,
    /// be the step itself longer by a better tier's prompt or not. A tier that has such a limit has
    /// no promise of its own about the time between tokens. Nil: only the target for that time
    /// limits it.
    package var slowdownMax: Double?

    package init(weight: Double, minimumShare: Double, slowdownMax: Double? = nil) {
        self.weight = weight
        self.minimumShare = minimumShare
        self.slowdownMax = slowdownMax
    }
}

/// How requests of several tiers and tenants share a worker. One order: tier, then tenant, then
/// deadline.
///
/// Better tiers go first, except that each tier that has work is entitled to a part of slots and
/// engine time: its weight's, at least its minimum share. Within a tier the tenant goes first that
/// had the least engine time for its weight (virtual token counters, Sheng et al., "Fairness in
/// Serving Large Language Models", OSDI 2024). Within a tenant, what is due first.
package struct TierPolicy: Hashable, Sendable {
    /// False: everybody is of one tier and one tenant.
    package var isOn = true
    package var priority = TierTerms(weight: 8, minimumShare: 0)
    package var standard = TierTerms(weight: 4, minimumShare: 0.1)
    package var batch = TierTerms(weight: 1, minimumShare: 0.05, slowdownMax: 1.2)
    /// Engine time that a tier must be behind its entitlement to get a slot before a better tier;
    /// long enough that the slot is of use before the better tier takes it back.
    package var quantumNanoseconds: Int64 = 250_000_000
    /// Tenants whose engine time for their weight differs by less are equal in a step: the shorter
    /// prompt goes first.
    package var tenantQuantumNanoseconds: Int64 = 250_000_000
    /// A request without a deadline is due this long after it came.
    package var patienceNanoseconds: Int64 = 10_000_000_000

    package init() {}

    package subscript(tier: ServiceTier) -> TierTerms {
        get {
            switch tier {
            case .priority: priority
            case .standard: standard
            case .batch: batch
            }
        }
        set {
            switch tier {
            case .priority: priority = newValue
            case .standard: standard = newValue
            case .batch: batch = newValue
            }
        }
    }

    func validate() throws(SchedulerConfigurationError) {
        for tier in ServiceTier.allCases {
            let terms = self[tier]
            guard terms.weight >= 0.001, terms.weight <= 1_000 else {
                throw .init(
                    setting: "tiers.\(tier.name).weight", value: "\(terms.weight)",
                    allowed: "0.001...1000")
            }
            guard terms.minimumShare >= 0, terms.minimumShare <= 0.5 else {
                throw .init(
                    setting: "tiers.\(tier.name).minimumShare", value: "\(terms.minimumShare)",
                    allowed: "0...0.5")
            }
            guard (terms.slowdownMax ?? 1) >= 1 else {
                throw .init(
                    setting: "tiers.\(tier.name).slowdownMax", value: "\(terms.slowdownMax ?? 1)",
                    allowed: "1...")
            }
        }
        for (setting, value) in [
            ("quantumNanoseconds", quantumNanoseconds),
            ("tenantQuantumNanoseconds", tenantQuantumNanoseconds),
            ("patienceNanoseconds", patienceNanoseconds),
        ] {
            guard (1...Int64.max / 4).contains(value) else {
                throw .init(setting: "tiers.\(setting)", value: "\(value)", allowed: "1...")
            }
        }
    }
}
