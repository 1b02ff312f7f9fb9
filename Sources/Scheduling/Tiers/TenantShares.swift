import InferenceTypes

/// How much engine time each tenant had, for its weight: virtual counters (Sheng et al., "Fairness
/// in Serving Large Language Models", OSDI 2024). Who has the least is next. A tenant that comes
/// back is lifted to the least of those that were busy meanwhile, so that being idle gains nothing.
///
/// A tenant has a counter in each tier. Owned by the scheduler.
struct TenantShares: Sendable {
    struct Tenant: Sendable {
        var name: String
        var tier: ServiceTier
        /// Millionths.
        var weight: Int64
        /// Engine time for a weight of 1, nanoseconds.
        var virtualTime: Int64 = 0
        /// Requests that have not ended.
        var alive = 0
        /// Of them, those that could use the engine.
        var active = 0
    }

    private struct Name: Hashable {
        var tenant: String
        var tier: ServiceTier
    }

    /// Tenants that are remembered; beyond it those without requests are forgotten.
    static let tenantsMax = 4_096
    static let weights = 0.001...1_000.0
    /// A quarter of what fits: one charge more still does.
    static let virtualTimeMax = Int64.max / 4
    /// Of one charge, nanoseconds: twelve days, at the least weight less than `virtualTimeMax`.
    static let chargeMax: Int64 = 1_000_000_000_000_000

    /// Slab; `unused` has the places where nobody is.
    private(set) var tenants: [Tenant] = []
    private var unused: [Int] = []
    /// Lookup only, never iterated.
    private var indices: [Name: Int] = [:]
    /// By tier, in no order that matters.
    private var active: [[Int]] = Array(repeating: [], count: ServiceTier.allCases.count)
    /// Counter of the last tenant that left its tier empty.
    private var lastLeft: [Int64] = Array(repeating: 0, count: ServiceTier.allCases.count)

    /// The place of a tenant for a new request of it; the weight is as of now.
    mutating func enter(_ tenant: String, _ tier: ServiceTier, weight: Double) -> Int {
        let bounded = min(max(weight, Self.weights.lowerBound), Self.weights.upperBound)
        let weight = Int64(bounded * 1_000_000)
        let name = Name(tenant: tenant, tier: tier)
        let index: Int
        if let known = indices[name] {
            index = known
        } else {
            if indices.count >= Self.tenantsMax { forgetIdle() }
            let record = Tenant(name: tenant, tier: tier, weight: weight)
            index = unused.popLast() ?? tenants.count
            if index == tenants.count { tenants.append(record) } else { tenants[index] = record }
            indices[name] = index
        }
        tenants[index].weight = weight
        tenants[index].alive += 1
        return index
    }

    /// A request of the tenant has ended; it was made inactive before.
    mutating func leave(_ index: Int) {
        tenants[index].alive -= 1
    }

    mutating func activate(_ index: Int) {
        tenants[index].active += 1
        guard tenants[index].active == 1 else { return }
        let tier = Int(tenants[index].tier.rawValue)
        let floor = least(of: tenants[index].tier) ?? lastLeft[tier]
        tenants[index].virtualTime = max(tenants[index].virtualTime, floor)
        active[tier].append(index)
    }

    mutating func deactivate(_ index: Int) {
        tenants[index].active -= 1
        guard tenants[index].active == 0 else { return }
        let tier = Int(tenants[index].tier.rawValue)
        active[tier].removeAll { $0 == index }
        if active[tier].isEmpty { lastLeft[tier] = tenants[index].virtualTime }
    }

    /// Engine time used, or given back when less than 0; at most `chargeMax`.
    mutating func charge(_ index: Int, _ nanoseconds: Int64) {
        let product = nanoseconds.multipliedFullWidth(by: 1_000_000)
        let weight = tenants[index].weight
        tenants[index].virtualTime += weight.dividingFullWidth(product).quotient
        if tenants[index].virtualTime > Self.virtualTimeMax { rebase(tenants[index].tier) }
    }

    /// Counters are compared, and what all have had can be left out: years of engine time at the
    /// least weight would not fit.
    private mutating func rebase(_ tier: ServiceTier) {
        let floor = least(of: tier) ?? lastLeft[Int(tier.rawValue)]
        for index in tenants.indices where tenants[index].tier == tier {
            tenants[index].virtualTime = min(
                max(0, tenants[index].virtualTime - floor), Self.virtualTimeMax)
        }
        lastLeft[Int(tier.rawValue)] = max(0, lastLeft[Int(tier.rawValue)] - floor)
    }

    func virtualTime(_ index: Int) -> Int64 { tenants[index].virtualTime }

    /// The least counter of a tier's busy tenants; nil when nobody is.
    func least(of tier: ServiceTier) -> Int64? {
        var least: Int64?
        for index in active[Int(tier.rawValue)] {
            least = min(least ?? .max, tenants[index].virtualTime)
        }
        return least
    }

    /// Forgets all tenants that have no requests: as if they came for the first time, they are
    /// lifted when they come back.
    private mutating func forgetIdle() {
        for index in tenants.indices where tenants[index].alive == 0 {
            let name = Name(tenant: tenants[index].name, tier: tenants[index].tier)
            guard indices[name] == index else { continue }
            indices[name] = nil
            unused.append(index)
        }
    }
}
