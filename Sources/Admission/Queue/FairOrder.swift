import InferenceTypes

/// Whose turn it is, by what everybody has had: knows numbers of tickets and their costs, not the
/// tickets. All costs are engine time in nanoseconds, predicted when work is handed out and
/// corrected when it has ended.
///
/// In this order:
/// 1. A tenant that had less of the pool than it is guaranteed.
/// 2. The better tier, unless the lower one had less than its minimum share. Batch work only when
///    nobody else waits.
/// 3. Within the tier the tenant with the least virtual time: engine time over weight (virtual
///    token counters; Sheng et al., Fairness in Serving Large Language Models, OSDI 2024). Who
///    comes back is lifted to the least of those who wait, so that being idle gives no credit.
///    Tenants that had more than their maximum come after all others.
///
/// Whoever is passed over by rule 1 or 2 for the ageing limit goes first once; rule 3 starves
/// nobody. Every operation is O(log n) in the number of tenants.
struct FairOrder: Sendable {
    enum Turn: Hashable, Sendable {
        /// Of a ticket that came back to the head of the tier's line.
        case returned(tier: Int)
        case tenant(slot: Int, tier: Int)
    }

    /// A tenant's dealings with the whole pool.
    private struct Account {
        let tenant: TenantNumber
        var share: TenantShare
        /// Engine time over the guaranteed share: below `total` it had less than that.
        var guaranteeClock = 0.0
        /// Engine time over the maximum share: above `total` it had more than that.
        var maximumClock = 0.0
        /// That wait, batch work apart.
        var waiting = 0
        var charged: Int64 = 0
    }

    private struct Line {
        var count = 0
        /// Cost of those that wait.
        var backlog: Int64 = 0
        /// Engine time over weight.
        var virtualTime = 0.0
    }

    private struct Tier {
        /// By slot.
        var lines: [Line] = []
        /// Tenants that wait, by virtual time.
        var ready = IndexedHeap()
        /// Those of them that had more than their maximum, by `maximumClock`.
        var heldBack = IndexedHeap()
        /// Of tenants that wait.
        var weights = 0.0
        var count = 0
        var backlog: Int64 = 0
        var returned = 0
        /// Engine time over the tier's share, against the other tier's.
        var clock = 0.0
        /// Of the tenant served last, before it was charged.
        var virtualTime = 0.0
        /// It has waited since then, and was given nothing but guarantees.
        var unservedSince = Instant.zero
    }

    /// How far clocks may run ahead of the others: what a tier or tenant takes while others are
    /// idle is held against it no longer than for this much engine time.
    static let leadNanoseconds = 2e9
    private static let standard = Int(ServiceTier.standard.rawValue)
    private static let batch = Int(ServiceTier.batch.rawValue)

    var ageingNanoseconds: Int64
    /// What tiers below the best are sure of, of the engine time, 0...1.
    var standardShare: Double

    private var accounts: [Account] = []
    /// By tenant number; -1: none yet.
    private var slots: [Int32] = []
    private var tiers: [Tier]
    /// Tenants with a guarantee that wait, by `guaranteeClock`.
    private var guaranteed = IndexedHeap()
    /// Of all charges, as a clock.
    private var total = 0.0
    /// Since when every turn was by a guarantee; nil when the last one was not.
    private var guaranteesSince: Instant?

    init(ageingNanoseconds: Int64, standardShare: Double) {
        self.ageingNanoseconds = ageingNanoseconds
        self.standardShare = standardShare
        tiers = ServiceTier.allCases.map { _ in Tier() }
    }

    // MARK: Tenants

    /// The tenant's slot, dense from 0; its share from now on.
    mutating func slot(of tenant: TenantNumber, _ share: TenantShare) -> Int {
        let slot = slot(of: tenant)
        if accounts[slot].share != share { setShare(slot, share) }
        return slot
    }

    mutating func slot(of tenant: TenantNumber) -> Int {
        let number = Int(tenant.value)
        while slots.count <= number { slots.append(-1) }
        if slots[number] >= 0 { return Int(slots[number]) }
        let slot = accounts.count
        slots[number] = Int32(slot)
        accounts.append(Account(tenant: tenant, share: .equal))
        for tier in tiers.indices { tiers[tier].lines.append(Line()) }
        return slot
    }

    private mutating func setShare(_ slot: Int, _ share: TenantShare) {
        precondition(
            share.weight > 0 && (0...1).contains(share.guaranteed)
                && share.maximum > 0 && share.maximum <= 1, "share: \(share)")
        for tier in tiers.indices where tiers[tier].lines[slot].count > 0 {
            tiers[tier].weights += share.weight - accounts[slot].share.weight
        }
        accounts[slot].share = share
        placeAccount(slot)
    }

    func tenant(_ slot: Int) -> TenantNumber { accounts[slot].tenant }

    /// All that the tenant was charged, in nanoseconds.
    func charged(_ tenant: TenantNumber) -> Int64 {
        let number = Int(tenant.value)
        guard number < slots.count, slots[number] >= 0 else { return 0 }
        return accounts[Int(slots[number])].charged
    }

    // MARK: Waiting

    func count(tier: Int) -> Int { tiers[tier].count }

    func backlog(tier: Int) -> Int64 { tiers[tier].backlog }

    func count(tier: Int, slot: Int) -> Int { tiers[tier].lines[slot].count }

    func backlog(tier: Int, slot: Int) -> Int64 { tiers[tier].lines[slot].backlog }

    /// Engine time that the tenant's waiting work takes, over its weight.
    func backlogPerWeight(tier: Int, slot: Int) -> Double {
        Double(tiers[tier].lines[slot].backlog) / accounts[slot].share.weight
    }

    mutating func join(tier: Int, slot: Int, cost: Int64, now: Instant) {
        joined(tier, cost, now)
        tiers[tier].lines[slot].backlog += cost
        tiers[tier].lines[slot].count += 1
        guard tiers[tier].lines[slot].count == 1 else {
            if tier != Self.batch { accounts[slot].waiting += 1 }
            return
        }
        tiers[tier].lines[slot].virtualTime = max(
            tiers[tier].lines[slot].virtualTime,
            tiers[tier].ready.firstKey ?? tiers[tier].virtualTime)
        tiers[tier].weights += accounts[slot].share.weight
        if tier != Self.batch {
            if accounts[slot].waiting == 0 {
                accounts[slot].guaranteeClock = max(accounts[slot].guaranteeClock, total)
            }
            accounts[slot].waiting += 1
        }
        placeLine(tier, slot)
        placeAccount(slot)
    }

    /// A ticket that was served before comes back.
    mutating func joinReturned(tier: Int, cost: Int64, now: Instant) {
        joined(tier, cost, now)
        tiers[tier].returned += 1
    }

    private mutating func joined(_ tier: Int, _ cost: Int64, _ now: Instant) {
        if tiers[tier].count == 0 {
            tiers[tier].unservedSince = now
            // Nobody saves up the better claim while they do not wait.
            if let other = otherTier(tier), tiers[other].count > 0 {
                tiers[tier].clock = max(tiers[tier].clock, tiers[other].clock)
            }
        }
        tiers[tier].count += 1
        tiers[tier].backlog += cost
    }

    /// It waits no more, and was not served.
    mutating func leave(tier: Int, slot: Int, cost: Int64) {
        tiers[tier].count -= 1
        tiers[tier].backlog -= cost
        tiers[tier].lines[slot].count -= 1
        tiers[tier].lines[slot].backlog -= cost
        if tier != Self.batch { accounts[slot].waiting -= 1 }
        guard tiers[tier].lines[slot].count == 0 else { return }
        tiers[tier].weights -= accounts[slot].share.weight
        tiers[tier].ready.remove(slot)
        tiers[tier].heldBack.remove(slot)
        if tiers[tier].ready.count + tiers[tier].heldBack.count == 0 { tiers[tier].weights = 0 }
        if accounts[slot].waiting == 0 { guaranteed.remove(slot) }
    }

    mutating func leaveReturned(tier: Int, cost: Int64) {
        tiers[tier].count -= 1
        tiers[tier].backlog -= cost
        tiers[tier].returned -= 1
    }

    // MARK: Turns

    /// Whose turn it is; nil when nobody waits.
    mutating func turn(now: Instant, includingBatch: Bool) -> Turn? {
        if let slot = guaranteed.first, let clock = guaranteed.firstKey, clock <= total,
            !isOver(guaranteesSince, now),
            let tier = tiers.indices.first(where: { tiers[$0].lines[slot].count > 0 })
        {
            return .tenant(slot: slot, tier: tier)
        }
        guard let tier = tier(now: now, includingBatch: includingBatch) else { return nil }
        if tiers[tier].returned > 0 { return .returned(tier: tier) }
        while let slot = tiers[tier].heldBack.first, accounts[slot].maximumClock <= total {
            placeLine(tier, slot)
        }
        guard let slot = tiers[tier].ready.first ?? tiers[tier].heldBack.first else {
            preconditionFailure("a tier has \(tiers[tier].count) tickets of nobody")
        }
        return .tenant(slot: slot, tier: tier)
    }

    private func tier(now: Instant, includingBatch: Bool) -> Int? {
        let best = tiers.indices.first { tiers[$0].count > 0 }
        guard let best, best < Self.standard, tiers[Self.standard].count > 0 else {
            return best == Self.batch && !includingBatch ? nil : best
        }
        let (since, bestSince) = (tiers[Self.standard].unservedSince, tiers[best].unservedSince)
        if isOver(since, now) || isOver(bestSince, now) {
            return since < bestSince ? Self.standard : best
        }
        guard standardShare > 0 else { return best }
        return tiers[Self.standard].clock + Self.leadNanoseconds <= tiers[best].clock
            ? Self.standard : best
    }

    private func isOver(_ since: Instant?, _ now: Instant) -> Bool {
        since.map { now.nanoseconds(since: $0) >= ageingNanoseconds } ?? false
    }

    /// Hands the turn out: the ticket waits no more, and its tenant is charged.
    mutating func serve(_ turn: Turn, cost: Int64, slot: Int, now: Instant) {
        switch turn {
        case .returned(let tier):
            leaveReturned(tier: tier, cost: cost)
            tiers[tier].unservedSince = now
            charge(cost, tier: tier, slot: slot)
        case .tenant(let slot, let tier):
            let isByGuarantee = guaranteed.first == slot && accounts[slot].guaranteeClock <= total
            guaranteesSince = isByGuarantee ? guaranteesSince ?? now : nil
            if !isByGuarantee { tiers[tier].unservedSince = now }
            tiers[tier].virtualTime = max(
                tiers[tier].virtualTime, tiers[tier].lines[slot].virtualTime)
            leave(tier: tier, slot: slot, cost: cost)
            charge(cost, tier: tier, slot: slot)
        }
    }

    /// Engine time that was used; below 0 what was charged too much.
    mutating func charge(_ nanoseconds: Int64, tier: Int, slot: Int) {
        let cost = Double(nanoseconds)
        let share = accounts[slot].share
        accounts[slot].charged += nanoseconds
        if share.guaranteed > 0 {
            accounts[slot].guaranteeClock =
                min(accounts[slot].guaranteeClock, total + Self.leadNanoseconds)
                + cost / share.guaranteed
        }
        if share.maximum < 1 {
            let lead = Self.leadNanoseconds
            accounts[slot].maximumClock =
                min(max(accounts[slot].maximumClock, total - lead), total + lead)
                + cost / share.maximum
        }
        total += cost
        tiers[tier].lines[slot].virtualTime += cost / share.weight
        if standardShare > 0, tier != Self.batch {
            let part = tier == Self.standard ? standardShare : 1 - standardShare
            tiers[tier].clock += cost / max(part, 0.01)
        }
        for tier in tiers.indices where tiers[tier].lines[slot].count > 0 { placeLine(tier, slot) }
        placeAccount(slot)
    }

    private func otherTier(_ tier: Int) -> Int? {
        tier == Self.batch ? nil : tier == Self.standard ? 0 : Self.standard
    }

    private mutating func placeLine(_ tier: Int, _ slot: Int) {
        if accounts[slot].share.maximum < 1, accounts[slot].maximumClock > total {
            tiers[tier].ready.remove(slot)
            tiers[tier].heldBack.set(slot, key: accounts[slot].maximumClock)
        } else {
            tiers[tier].heldBack.remove(slot)
            tiers[tier].ready.set(slot, key: tiers[tier].lines[slot].virtualTime)
        }
    }

    private mutating func placeAccount(_ slot: Int) {
        if accounts[slot].share.guaranteed > 0, accounts[slot].waiting > 0 {
            guaranteed.set(slot, key: accounts[slot].guaranteeClock)
        } else {
            guaranteed.remove(slot)
        }
    }

    // MARK: Places

    /// How much is served before a ticket of the tenant, `own` of its own work being ahead of it:
    /// the others of its tier get theirs in proportion to their weights meanwhile, and better
    /// tiers all of theirs but for the minimum share.
    ///
    /// - Parameter tickets: for an answer in tickets instead of nanoseconds; `own` is, too.
    func ahead(tier: Int, slot: Int, own: Double, inTickets tickets: Bool = false) -> Double {
        let line = tiers[tier].lines[slot]
        let share = accounts[slot].share
        func amount(_ count: Int, _ cost: Int64) -> Double {
            tickets ? Double(count) : Double(cost)
        }
        let others = amount(
            tiers[tier].count - line.count, tiers[tier].backlog - line.backlog)
        let weights = max(tiers[tier].weights - (line.count > 0 ? share.weight : 0), 0)
        var debt = max(line.virtualTime - (tiers[tier].ready.firstKey ?? line.virtualTime), 0)
        debt *= weights
        if tickets {
            let mean = Double(tiers[tier].backlog) / Double(max(1, tiers[tier].count))
            debt /= max(mean, 1)
        }
        var ahead = own + min(others, own * weights / share.weight + debt)
        if tier == Self.standard {
            let better = amount(tiers[0].count, tiers[0].backlog)
            let part = standardShare > 0 ? ahead * (1 - standardShare) / standardShare : better
            ahead += min(better, max(part, tickets ? 1 : Self.leadNanoseconds))
        }
        return share.guaranteed > 0 ? min(ahead, own / share.guaranteed) : ahead
    }

    /// Counts and sums agree, and who waits stands in the heaps. Traps otherwise.
    func checkInvariants() {
        for (number, tier) in tiers.enumerated() {
            tier.ready.checkInvariants()
            tier.heldBack.checkInvariants()
            var (count, backlog) = (tier.returned, Int64(0))
            for (slot, line) in tier.lines.enumerated() {
                count += line.count
                backlog += line.backlog
                precondition(line.count >= 0 && line.backlog >= 0, "a line below 0")
                let places = [tier.ready.contains(slot), tier.heldBack.contains(slot)]
                precondition(
                    places.count { $0 } == (line.count > 0 ? 1 : 0),
                    "tier \(number), slot \(slot): misplaced")
            }
            precondition(count == tier.count, "tier \(number): tickets miscounted")
            precondition(
                tier.returned > 0 || backlog == tier.backlog, "tier \(number): backlog miscounted")
        }
        for (slot, account) in accounts.enumerated() {
            let waiting = (0..<Self.batch).reduce(0) { $0 + tiers[$1].lines[slot].count }
            precondition(waiting == account.waiting, "slot \(slot): tickets miscounted")
            precondition(
                guaranteed.contains(slot) == (account.share.guaranteed > 0 && waiting > 0),
                "slot \(slot): guarantee misplaced")
        }
        guaranteed.checkInvariants()
    }
}
