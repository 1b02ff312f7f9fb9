import InferenceTypes

/// Which tier is behind what it is entitled to, in engine time. Owned by the scheduler.
struct TierShares: Sendable {
    private struct Account: Sendable {
        /// Requests that could use the engine: waiting or running, and read by somebody.
        var active = 0
        /// Requests with a slot.
        var running = 0
        /// Engine time behind the entitlement, less than 0 when ahead; nanoseconds.
        var credit: Int64 = 0
    }

    private let policy: TierPolicy
    private let slots: Int
    private var accounts: [Account]
    /// Neither credit nor debt grows beyond this: what was left unused is gone, and who used what
    /// nobody else wanted owes little for it.
    let creditMax: Int64

    init(policy: TierPolicy, slots: Int) {
        self.policy = policy
        self.slots = slots
        accounts = Array(repeating: Account(), count: ServiceTier.allCases.count)
        creditMax = 4 * policy.quantumNanoseconds
    }

    func isActive(_ tier: ServiceTier) -> Bool { accounts[Int(tier.rawValue)].active > 0 }
    func running(_ tier: ServiceTier) -> Int { accounts[Int(tier.rawValue)].running }
    func active(_ tier: ServiceTier) -> Int { accounts[Int(tier.rawValue)].active }
    func credit(_ tier: ServiceTier) -> Int64 { accounts[Int(tier.rawValue)].credit }

    /// Part of slots and time that a tier is entitled to while it has work.
    func entitlement(_ tier: ServiceTier) -> Double {
        var weights = 0.0
        for other in ServiceTier.allCases where other == tier || isActive(other) {
            weights += policy[other].weight
        }
        return max(policy[tier].weight / weights, policy[tier].minimumShare)
    }

    /// Whether a tier gets a slot before better ones. What its entitlement has of a slot beyond
    /// whole ones it has for a part of the time.
    func isOwedSlot(_ tier: ServiceTier) -> Bool {
        let account = accounts[Int(tier.rawValue)]
        let whole = Int(entitlement(tier) * Double(slots))
        return account.running < whole + (account.credit >= policy.quantumNanoseconds ? 1 : 0)
    }

    /// Whether a tier has more slots than better ones must leave it.
    func canYieldSlot(_ tier: ServiceTier) -> Bool {
        let account = accounts[Int(tier.rawValue)]
        let whole = Int(entitlement(tier) * Double(slots))
        return account.running > whole + (account.credit > 0 ? 1 : 0)
    }

    mutating func activate(_ tier: ServiceTier) {
        accounts[Int(tier.rawValue)].active += 1
    }

    /// An idle tier keeps neither credit nor debt.
    mutating func deactivate(_ tier: ServiceTier) {
        accounts[Int(tier.rawValue)].active -= 1
        if accounts[Int(tier.rawValue)].active == 0 { accounts[Int(tier.rawValue)].credit = 0 }
    }

    mutating func gotSlot(_ tier: ServiceTier) { accounts[Int(tier.rawValue)].running += 1 }
    mutating func lostSlot(_ tier: ServiceTier) { accounts[Int(tier.rawValue)].running -= 1 }

    /// A step has taken so long, of which each tier had its part.
    mutating func charge(_ used: [Int64], of nanoseconds: Int64) {
        for tier in ServiceTier.allCases where isActive(tier) {
            let index = Int(tier.rawValue)
            let earned = Int64(entitlement(tier) * Double(nanoseconds))
            let credit = accounts[index].credit + earned - used[index]
            accounts[index].credit = min(max(credit, -creditMax), creditMax)
        }
    }
}
