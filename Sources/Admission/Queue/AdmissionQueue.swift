package import InferenceTypes

/// Requests that wait for room on a worker: bounded, one order of tier, tenant and deadline
/// (`FairOrder`), with ageing so that nobody starves. Batch work gets what nobody else wants,
/// however long it waits. Owned by the dispatcher.
///
/// ```
///   submit ──► waiting ──next──► handed out
///                │  ▲                │
///       cancel / expire        requeue (the worker failed before the first token)
///                ▼
///              gone
/// ```
///
/// Every operation is O(log n) amortised. Cancelled tickets leave their place in a line and are
/// skipped when they reach the front.
package struct AdmissionQueue: Sendable {
    struct Entry: Sendable {
        var ticket: TicketID
        var tier: Int
        /// The tenant's, in `order`.
        var slot: Int
        var cost: Int64
        var arrival: Instant
        /// The earlier of the caller's own deadline and the wait limit.
        var expiry: Instant
        var hasDeadline: Bool
        var isReturned = false
        /// Unique; 0: the entry is free.
        var order: UInt64
        /// How many of its tenant's tickets had come before it, in this tier.
        var number = 0
    }

    /// One tenant's tickets of a tier.
    struct Line: Sendable {
        /// By deadline; those without one are due at the ageing limit.
        var tickets = TicketLine()
        /// That ever stood here.
        var joined = 0
    }

    /// A ticket that asks to be queued.
    package struct Work: Hashable, Sendable {
        package var ticket: TicketID
        /// Engine time that it will probably take; counts as at least 1.
        package var nanoseconds: Int64

        package init(_ ticket: TicketID, nanoseconds: Int64 = 1) {
            self.ticket = ticket
            self.nanoseconds = max(1, nanoseconds)
        }
    }

    /// Whose work it is.
    package struct Claim: Hashable, Sendable {
        package var tenant: TenantNumber
        package var share: TenantShare

        package static let builtIn = Claim(tenant: .builtIn, share: .equal)

        package init(tenant: TenantNumber, share: TenantShare) {
            self.tenant = tenant
            self.share = share
        }
    }

    package enum SubmitOutcome: Hashable, Sendable {
        case queued
        case refused(Refusal)
    }

    /// New limits hold for whoever comes from then on.
    package var configuration: AdmissionConfiguration {
        didSet {
            order.ageingNanoseconds = configuration.promotionNanoseconds
            order.standardShare = configuration.standardShare
        }
    }
    var order: FairOrder
    /// By tier and slot.
    var lines: [[Line]]
    /// By tier: tickets that were handed out before, by arrival.
    var returned: [TicketLine]
    /// All, by expiry.
    var expiries = TicketLine()
    /// In slots; those without an order are free.
    var entries: [Entry] = []
    private var freeSlots: [Int32] = []
    /// Slots in `entries`. Looked up only, never iterated.
    private var waiting: [TicketID: Int32] = [:]
    private var orders: UInt64 = 0
    private var isDraining = false
    /// Since when no worker has been ready; nil while one is.
    var noWorkerSince: Instant?

    package init(configuration: AdmissionConfiguration, now: Instant) {
        self.configuration = configuration
        order = FairOrder(
            ageingNanoseconds: configuration.promotionNanoseconds,
            standardShare: configuration.standardShare)
        lines = ServiceTier.allCases.map { _ in [] }
        returned = ServiceTier.allCases.map { _ in TicketLine() }
        noWorkerSince = now
    }

    /// Tickets waiting now.
    package var count: Int { waiting.count }

    package func count(of tier: ServiceTier) -> Int { order.count(tier: Int(tier.rawValue)) }

    package var isEmpty: Bool { waiting.isEmpty }

    // MARK: In

    /// Puts the tickets of one request into the line, all or none.
    ///
    /// - Parameters:
    ///   - deadline: When the caller stops being interested; nil for never.
    ///   - extraPlaces: Of the queue, for this request.
    package mutating func submit(
        _ work: [Work], of claim: Claim, tier: ServiceTier, deadline: Instant?,
        extraPlaces: Int = 0, now: Instant
    ) -> SubmitOutcome {
        if let refusal = refusal(
            tickets: work.count - extraPlaces, deadline: deadline, now: now)
        {
            return .refused(refusal)
        }
        let slot = order.slot(of: claim.tenant, claim.share)
        let tier = Int(tier.rawValue)
        while lines[tier].count <= slot { lines[tier].append(Line()) }
        let limit = now.advanced(byNanoseconds: configuration.waitLimitNanoseconds)
        let ageing = now.advanced(byNanoseconds: configuration.promotionNanoseconds)
        for work in work {
            var entry = Entry(
                ticket: work.ticket, tier: tier, slot: slot, cost: work.nanoseconds, arrival: now,
                expiry: min(limit, deadline ?? limit),
                hasDeadline: deadline.map { $0 <= limit } ?? false, order: nextOrder())
            entry.number = lines[tier][slot].joined
            lines[tier][slot].joined += 1
            order.join(tier: tier, slot: slot, cost: entry.cost, now: now)
            lines[tier][slot].tickets.insert(
                TicketLine.Place(
                    time: min(deadline ?? ageing, ageing), order: entry.order, slot: add(entry)))
        }
        return .queued
    }

    /// As above, of the tenant of all requests where there are no tenants.
    package mutating func submit(
        _ tickets: [TicketID], tier: ServiceTier, deadline: Instant?, now: Instant
    ) -> SubmitOutcome {
        submit(tickets.map { Work($0) }, of: .builtIn, tier: tier, deadline: deadline, now: now)
    }

    /// Why so many tickets would not be let in now; nil when they would.
    private func refusal(tickets: Int, deadline: Instant?, now: Instant) -> Refusal? {
        if isDraining { return .draining }
        if let deadline, deadline <= now { return .deadlinePassed }
        guard waiting.count + tickets <= configuration.queueLimitTickets else {
            return .queueFull(limit: configuration.queueLimitTickets)
        }
        return nil
    }

    /// Puts a ticket that was handed out back at the head of its tier, keeping its seniority: its
    /// worker was lost before the first token. Not subject to the queue's limit, since it was in.
    ///
    /// - Parameter nanoseconds: Engine time that it will probably still take.
    package mutating func requeue(
        _ ticket: TicketID, of tenant: TenantNumber = .builtIn, nanoseconds: Int64 = 1,
        tier: ServiceTier, arrival: Instant, deadline: Instant?, now: Instant
    ) {
        let limit = now.advanced(byNanoseconds: configuration.waitLimitNanoseconds)
        let tier = Int(tier.rawValue)
        let entry = Entry(
            ticket: ticket, tier: tier, slot: order.slot(of: tenant), cost: max(1, nanoseconds),
            arrival: arrival,
            expiry: min(limit, deadline ?? limit),
            hasDeadline: deadline.map { $0 <= limit } ?? false, isReturned: true,
            order: nextOrder())
        order.joinReturned(tier: tier, cost: entry.cost, now: now)
        returned[tier].insert(
            TicketLine.Place(time: arrival, order: entry.order, slot: add(entry)))
    }

    private mutating func nextOrder() -> UInt64 {
        orders += 1
        return orders
    }

    private mutating func add(_ entry: Entry) -> Int32 {
        let slot = freeSlots.popLast() ?? Int32(entries.count)
        if slot == entries.count {
            entries.append(entry)
        } else {
            entries[Int(slot)] = entry
        }
        let previous = waiting.updateValue(slot, forKey: entry.ticket)
        precondition(previous == nil, "ticket \(entry.ticket.number) is already waiting")
        expiries.insert(TicketLine.Place(time: entry.expiry, order: entry.order, slot: slot))
        return slot
    }

    /// Of a waiting ticket.
    func entry(of ticket: TicketID) -> Entry? { waiting[ticket].map { entries[Int($0)] } }

    /// Whether the place's ticket still waits there.
    func isHere(_ place: TicketLine.Place) -> Bool {
        entries[Int(place.slot)].order == place.order
    }

    private mutating func take(_ slot: Int32) -> Entry {
        let entry = entries[Int(slot)]
        waiting[entry.ticket] = nil
        entries[Int(slot)].order = 0
        freeSlots.append(slot)
        return entry
    }

    // MARK: Out

    /// Takes the ticket that is to run next and charges its tenant for it; nil when nobody waits.
    ///
    /// - Parameter includingBatch: whether there is a slot that nobody else wants.
    package mutating func next(now: Instant, includingBatch: Bool = true) -> TicketID? {
        guard let turn = order.turn(now: now, includingBatch: includingBatch) else { return nil }
        let slot =
            switch turn {
            case .returned(let tier): Self.first(of: &returned[tier], entries)
            case .tenant(let slot, let tier): Self.first(of: &lines[tier][slot].tickets, entries)
            }
        let entry = take(slot)
        order.serve(turn, cost: entry.cost, slot: entry.slot, now: now)
        compactExpiries()
        return entry.ticket
    }

    /// Engine time that the tenant used beyond what it was charged for; below 0 what was charged
    /// too much.
    package mutating func charge(
        _ nanoseconds: Int64, to tenant: TenantNumber, tier: ServiceTier
    ) {
        order.charge(nanoseconds, tier: Int(tier.rawValue), slot: order.slot(of: tenant))
    }

    /// All that the tenant was charged, in nanoseconds of engine time.
    package func charged(_ tenant: TenantNumber) -> Int64 { order.charged(tenant) }

    /// Forgets a waiting ticket (its client has gone). False when it was not waiting.
    package mutating func cancel(_ ticket: TicketID) -> Bool { remove(ticket) != nil }

    /// Forgets all waiting tickets; in order of tier and arrival.
    package mutating func removeAll() -> [TicketID] {
        let tickets = Self.inOrder(entries.filter { $0.order != 0 }).map(\.ticket)
        for ticket in tickets { _ = remove(ticket) }
        return tickets
    }

    mutating func remove(_ ticket: TicketID) -> Entry? {
        guard let slot = waiting[ticket] else { return nil }
        let entry = take(slot)
        let entries = entries
        if entry.isReturned {
            order.leaveReturned(tier: entry.tier, cost: entry.cost)
            returned[entry.tier].compact(count: order.count(tier: entry.tier)) {
                entries[Int($0.slot)].order == $0.order
            }
        } else {
            order.leave(tier: entry.tier, slot: entry.slot, cost: entry.cost)
            let count = order.count(tier: entry.tier, slot: entry.slot)
            lines[entry.tier][entry.slot].tickets.compact(count: count) {
                entries[Int($0.slot)].order == $0.order
            }
        }
        compactExpiries()
        return entry
    }

    private mutating func compactExpiries() {
        let entries = entries
        expiries.compact(count: waiting.count) { entries[Int($0.slot)].order == $0.order }
    }

    /// Takes the first that still waits.
    private static func first(of line: inout TicketLine, _ entries: [Entry]) -> Int32 {
        while let first = line.first {
            line.removeFirst()
            if entries[Int(first.slot)].order == first.order { return first.slot }
        }
        preconditionFailure("a waiting ticket in no line")
    }

    static func inOrder(_ entries: [Entry]) -> [Entry] {
        entries.sorted {
            ($0.tier, $0.arrival, $0.ticket) < ($1.tier, $1.arrival, $1.ticket)
        }
    }

    /// From now on new requests are refused; those that wait stay.
    package mutating func drain() {
        isDraining = true
    }

    /// Each waiting ticket stands in exactly one line, its own tenant's. Traps otherwise.
    package func checkInvariants() {
        order.checkInvariants()
        var seen: Set<TicketID> = []
        func see(_ line: TicketLine, _ tier: Int, _ slot: Int?) {
            for place in line.places {
                guard isHere(place) else { continue }
                let entry = entries[Int(place.slot)]
                precondition(entry.tier == tier, "ticket in the wrong tier")
                precondition(entry.isReturned == (slot == nil), "ticket in the wrong line")
                precondition(slot.map { $0 == entry.slot } ?? true, "ticket in another's line")
                precondition(seen.insert(entry.ticket).inserted, "ticket twice in line")
            }
        }
        for tier in lines.indices {
            see(returned[tier], tier, nil)
            for (slot, line) in lines[tier].enumerated() { see(line.tickets, tier, slot) }
        }
        precondition(seen.count == waiting.count, "waiting ticket in no line")
        precondition(entries.count == waiting.count + freeSlots.count, "slots lost")
        precondition(expiries.count <= 2 * waiting.count + 17, "expiries grow")
    }
}
