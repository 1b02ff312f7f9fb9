import InferenceTypes

@testable import Admission

/// One engine that serves a queue: a ticket at a time, for its actual cost, which may differ from
/// the predicted one and is corrected at its end.
struct FairQueueWorld {
    struct Tenant {
        var number: TenantNumber
        var share = TenantShare.equal
        var tier = ServiceTier.standard
        /// Tickets that it keeps waiting; 0: it is idle.
        var depth: Int
        /// Of a ticket, in milliseconds.
        var cost: ClosedRange<Int64> = 10...100
        /// Actual over predicted cost, in percent.
        var error: ClosedRange<Int64> = 100...100
    }

    struct Served {
        var tenant: TenantNumber
        var tier: ServiceTier
        var waited: Int64
    }

    var queue: AdmissionQueue
    var tenants: [Tenant]
    var random: SeededGenerator
    var now = Instant.zero
    /// Engine time by tenant number.
    var used: [UInt32: Int64] = [:]
    /// The longest any ticket of the tenant waited.
    var longestWait: [UInt32: Int64] = [:]
    private var work: [TicketID: (tenant: Int, predicted: Int64, actual: Int64, arrival: Instant)]
    /// By index in `tenants`.
    private var waiting: [Int]
    private var issued: UInt64 = 0

    init(_ tenants: [Tenant], seed: UInt64, ageing: Int64 = 10, standardShare: Double = 0.1) {
        self.tenants = tenants
        random = SeededGenerator(seed: seed)
        work = [:]
        waiting = tenants.map { _ in 0 }
        queue = AdmissionQueue(
            configuration: AdmissionConfiguration(
                queueLimitTickets: 1_000_000, waitLimitNanoseconds: .max / 4,
                promotionNanoseconds: ageing * 1_000_000_000, standardShare: standardShare),
            now: now)
        queue.workersReady(true, now: now)
    }

    mutating func submit(_ index: Int) {
        let tenant = tenants[index]
        issued += 1
        let ticket = TicketID(number: issued)
        let predicted = Int64.random(in: tenant.cost, using: &random) * 1_000_000
        let actual = predicted * Int64.random(in: tenant.error, using: &random) / 100
        work[ticket] = (index, predicted, actual, now)
        waiting[index] += 1
        let outcome = queue.submit(
            [AdmissionQueue.Work(ticket, nanoseconds: predicted)],
            of: AdmissionQueue.Claim(tenant: tenant.number, share: tenant.share),
            tier: tenant.tier, deadline: nil, now: now)
        precondition(outcome == .queued)
    }

    mutating func fill() {
        for index in tenants.indices {
            while waiting[index] < tenants[index].depth { submit(index) }
        }
    }

    /// Fills the queue and serves one ticket; nil when nobody waits.
    mutating func step() -> Served? {
        fill()
        guard let ticket = queue.next(now: now), let done = work.removeValue(forKey: ticket) else {
            return nil
        }
        let tenant = tenants[done.tenant]
        waiting[done.tenant] -= 1
        let waited = now.nanoseconds(since: done.arrival)
        longestWait[tenant.number.value] = max(longestWait[tenant.number.value] ?? 0, waited)
        now = now.advanced(byNanoseconds: done.actual)
        used[tenant.number.value, default: 0] += done.actual
        queue.charge(done.actual - done.predicted, to: tenant.number, tier: tenant.tier)
        return Served(tenant: tenant.number, tier: tenant.tier, waited: waited)
    }

    mutating func run(seconds: Int64) {
        let end = now.advanced(byNanoseconds: seconds * 1_000_000_000)
        while now < end, step() != nil {}
    }

    func share(_ number: UInt32) -> Double {
        let total = used.values.reduce(0, +)
        return total > 0 ? Double(used[number] ?? 0) / Double(total) : 0
    }
}
