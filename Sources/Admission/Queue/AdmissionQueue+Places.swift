package import InferenceTypes

/// Where a ticket stands, and who is shed.
extension AdmissionQueue {
    /// What is ahead of a ticket, about: others' later work may go first, or earlier work go.
    package struct Place: Hashable, Sendable {
        /// Tickets.
        package var position: Int
        /// Engine time, the ticket's own included.
        package var aheadNanoseconds: Double
    }

    /// Engine time of all that waits, batch work apart.
    package var backlogNanoseconds: Int64 { order.backlog(tier: 0) + order.backlog(tier: 1) }

    /// Of a ticket that comes now.
    package mutating func place(
        _ work: Work, of claim: Claim, tier: ServiceTier
    ) -> Place {
        let slot = order.slot(of: claim.tenant, claim.share)
        let tier = Int(tier.rawValue)
        return place(
            tier: tier, slot: slot, number: order.count(tier: tier, slot: slot),
            cost: work.nanoseconds)
    }

    /// Of a waiting ticket; nil when it does not wait.
    package func place(of ticket: TicketID) -> Place? {
        guard let entry = entry(of: ticket) else { return nil }
        let count = order.count(tier: entry.tier, slot: entry.slot)
        // Those that came before it and have not left: exact where they left in their order.
        let left =
            lines[entry.tier].indices.contains(entry.slot)
            ? lines[entry.tier][entry.slot].joined - count : 0
        let number = entry.isReturned ? 0 : min(max(entry.number - left, 0), max(count - 1, 0))
        return place(tier: entry.tier, slot: entry.slot, number: number, cost: entry.cost)
    }

    private func place(tier: Int, slot: Int, number: Int, cost: Int64) -> Place {
        let count = order.count(tier: tier, slot: slot)
        let own = order.backlog(tier: tier, slot: slot)
        let share = count > 0 ? Double(number) / Double(count) : 0
        return Place(
            position: Int(
                order.ahead(tier: tier, slot: slot, own: Double(number), inTickets: true)),
            aheadNanoseconds: order.ahead(
                tier: tier, slot: slot, own: Double(own) * share + Double(cost)))
    }

    /// Sheds the newest ticket of the lowest tier that has any, of the tenant that has most work
    /// waiting there for its weight; nil when nobody waits. Tickets that were handed out before
    /// stay. Reads all that wait: for a few tickets a second.
    package mutating func shedNewest() -> TicketID? {
        for tier in lines.indices.reversed() {
            var worst: (slot: Int, backlog: Double)?
            for slot in lines[tier].indices where order.count(tier: tier, slot: slot) > 0 {
                let backlog = order.backlogPerWeight(tier: tier, slot: slot)
                if backlog > worst?.backlog ?? -1 { worst = (slot, backlog) }
            }
            guard let slot = worst?.slot else { continue }
            let newest = lines[tier][slot].tickets.places
                .filter { isHere($0) }.max { $0.order < $1.order }
            guard let ticket = newest.map({ entries[Int($0.slot)].ticket }) else { continue }
            _ = remove(ticket)
            return ticket
        }
        return nil
    }
}
