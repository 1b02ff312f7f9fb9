import InferenceTypes
import Testing

@testable import Admission

private typealias Tenant = FairQueueWorld.Tenant

private func tenant(_ number: UInt32) -> TenantNumber { TenantNumber(number) }

private func tenant(
    _ number: UInt32, weight: Double = 1, guaranteed: Double = 0, maximum: Double = 1,
    tier: ServiceTier = .standard, depth: Int, cost: ClosedRange<Int64> = 10...100,
    error: ClosedRange<Int64> = 100...100
) -> Tenant {
    Tenant(
        number: tenant(number),
        share: TenantShare(weight: weight, guaranteed: guaranteed, maximum: maximum), tier: tier,
        depth: depth, cost: cost, error: error)
}

/// The invariants of fair sharing, over random costs.
@Suite struct FairQueueTests {
    @Test(arguments: 0..<10 as Range<UInt64>)
    func backloggedTenantsDifferByAtMostTwoRequests(seed: UInt64) {
        var world = FairQueueWorld(
            [
                tenant(0, depth: 40, cost: 1...300, error: 50...200),
                tenant(1, weight: 2, depth: 4, cost: 1...300, error: 50...200),
            ], seed: seed)
        let bound = 2.0 * 600_000_000
        for _ in 0..<3_000 {
            guard world.step() != nil else { preconditionFailure("nobody waits") }
            let (first, second) = (Double(world.used[0] ?? 0), Double(world.used[1] ?? 0) / 2)
            #expect(abs(first - second) <= bound)
        }
        #expect(abs(world.share(1) - 2.0 / 3) < 0.02)
    }

    @Test func aFloodGetsHalfOfTheEngine() {
        var world = FairQueueWorld(
            [tenant(0, depth: 1_000), tenant(1, depth: 2)], seed: 1)
        world.run(seconds: 600)
        #expect(abs(world.share(0) - 0.5) < 0.01)
    }

    @Test func eightTenantsAreServedEqually() {
        var world = FairQueueWorld(
            (0..<8).map { tenant($0, depth: Int($0) * 5 + 1, cost: 5...Int64($0 + 1) * 40) },
            seed: 2)
        world.run(seconds: 900)
        let shares = (0..<8).map { world.share($0) }
        let sum = shares.reduce(0, +)
        let jain = sum * sum / (8 * shares.reduce(0) { $0 + $1 * $1 })
        #expect(jain > 0.99, "Jain's index \(jain)")
    }

    @Test func beingIdleGivesNoCredit() {
        var world = FairQueueWorld([tenant(0, depth: 10), tenant(1, depth: 0)], seed: 3)
        world.run(seconds: 600)
        world.tenants[1].depth = 10
        let before = world.used[0] ?? 0
        world.run(seconds: 60)
        #expect(abs(Double((world.used[0] ?? 0) - before) / 60e9 - 0.5) < 0.02)
    }

    @Test(arguments: 0..<5 as Range<UInt64>)
    func aGuaranteeHoldsUnderAnyLoadOfTheOthers(seed: UInt64) {
        var world = FairQueueWorld(
            [
                tenant(0, guaranteed: 0.4, depth: 3), tenant(1, depth: 300),
                tenant(2, weight: 8, depth: 300), tenant(3, tier: .priority, depth: 300),
            ], seed: seed)
        world.run(seconds: 600)
        #expect(world.share(0) > 0.38)
        // What it does not use is lent out.
        world.tenants[0].depth = 0
        world.run(seconds: 60)
        world.used = [:]
        world.run(seconds: 600)
        #expect(world.share(0) == 0 && world.share(3) > 0.85)
    }

    @Test func aMaximumHoldsWhileOthersWaitAndOnlyThen() {
        var world = FairQueueWorld(
            [tenant(0, weight: 9, maximum: 0.2, depth: 30), tenant(1, depth: 30)], seed: 4)
        world.run(seconds: 600)
        #expect(world.share(0) < 0.22 && world.share(0) > 0.18)
        world.tenants[1].depth = 0
        world.run(seconds: 60)
        world.used = [:]
        world.run(seconds: 60)
        #expect(world.share(0) == 1)
        // Having been alone is not held against it for long.
        world.tenants[1].depth = 30
        world.used = [:]
        world.run(seconds: 100)
        #expect(world.share(0) > 0.15)
    }

    @Test func theDefaultTierHasItsMinimumShareUnderPriorityLoad() {
        var world = FairQueueWorld(
            [tenant(0, depth: 30), tenant(1, tier: .priority, depth: 30)], seed: 5)
        world.run(seconds: 600)
        #expect(abs(world.share(0) - 0.1) < 0.02)
    }

    @Test func priorityGoesFirstThroughAFloodOfTheDefaultTier() {
        var world = FairQueueWorld(
            [tenant(0, depth: 2_000), tenant(1, tier: .priority, depth: 0)], seed: 6)
        world.run(seconds: 60)
        for _ in 0..<200 {
            world.submit(1)
            let served = world.step()
            #expect(served?.tier == .priority)
            for _ in 0..<5 { _ = world.step() }
        }
        #expect((world.longestWait[1] ?? 0) == 0)
    }

    @Test(arguments: 0..<5 as Range<UInt64>)
    func nobodyStarvesBeyondTheAgeingLimit(seed: UInt64) {
        // Nothing but its age speaks for tenant 0.
        var world = FairQueueWorld(
            [
                tenant(0, depth: 1), tenant(1, guaranteed: 1, depth: 50),
                tenant(2, tier: .priority, depth: 50),
            ], seed: seed, ageing: 5, standardShare: 0)
        world.run(seconds: 300)
        // Its tier and its tenant's group each wait for the limit at most.
        #expect((world.longestWait[0] ?? .max) <= 12_000_000_000)
    }

    @Test(arguments: 0..<10 as Range<UInt64>)
    func chargesAreWhatWasUsed(seed: UInt64) {
        var world = FairQueueWorld(
            (0..<5).map {
                tenant($0, weight: Double($0 + 1), depth: 3, cost: 1...500, error: 10...300)
            }, seed: seed)
        for _ in 0..<2_000 { _ = world.step() }
        for number in 0..<5 as Range<UInt32> {
            #expect(world.queue.charged(tenant(number)) == world.used[number])
        }
    }

    /// Against a model that only counts: work-conserving, nobody lost or served twice.
    @Test(arguments: 0..<20 as Range<UInt64>)
    func randomOperationsKeepTheInvariants(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var queue = AdmissionQueue(
            configuration: AdmissionConfiguration(queueLimitTickets: 64), now: .zero)
        var live: [TicketID: (ServiceTier, UInt32)] = [:]
        var out: [TicketID: (ServiceTier, UInt32)] = [:]
        var order: [TicketID] = []
        var now = Instant.zero
        for number in 0..<3_000 as Range<UInt64> {
            now = now.advanced(byNanoseconds: Int64.random(in: 0..<2_000_000_000, using: &random))
            let some = order.randomElement(using: &random)
            switch Int.random(in: 0..<8, using: &random) {
            case 0...2:
                let who = UInt32.random(in: 0..<12, using: &random)
                let tier = ServiceTier.allCases.randomElement(using: &random) ?? .batch
                let share = TenantShare(
                    weight: Double.random(in: 0.1..<8, using: &random),
                    guaranteed: Bool.random(using: &random) ? 0.2 : 0,
                    maximum: Bool.random(using: &random) ? 0.3 : 1)
                let work = AdmissionQueue.Work(
                    TicketID(number: number),
                    nanoseconds: Int64.random(in: 0..<10_000_000_000, using: &random))
                let outcome = queue.submit(
                    [work], of: AdmissionQueue.Claim(tenant: tenant(who), share: share),
                    tier: tier,
                    deadline: Bool.random(using: &random)
                        ? now.advanced(byNanoseconds: 20_000_000_000) : nil, now: now)
                guard outcome == .queued else { continue }
                live[work.ticket] = (tier, who)
                order.append(work.ticket)
            case 3...4:
                let withBatch = Bool.random(using: &random)
                let next = queue.next(now: now, includingBatch: withBatch)
                let others = live.values.contains { $0.0 != .batch }
                #expect((next != nil) == (others || withBatch && !live.isEmpty))
                guard let next, let entry = live.removeValue(forKey: next) else { continue }
                #expect(entry.0 != .batch || (withBatch && !others))
                out[next] = entry
            case 5:
                guard let some else { continue }
                let cancelled = queue.cancel(some)
                #expect(cancelled == (live.removeValue(forKey: some) != nil))
            case 6:
                guard let some, let entry = out.removeValue(forKey: some) else { continue }
                queue.charge(
                    Int64.random(in: -5_000_000_000..<5_000_000_000, using: &random),
                    to: tenant(entry.1), tier: entry.0)
                guard Bool.random(using: &random) else { continue }
                queue.requeue(
                    some, of: tenant(entry.1), tier: entry.0, arrival: now, deadline: nil,
                    now: now)
                live[some] = entry
            default:
                for (ticket, refusal) in queue.expire(now: now) {
                    #expect(refusal == .deadlinePassed || refusal == .noWorker)
                    let wasLive = live.removeValue(forKey: ticket) != nil
                    #expect(wasLive)
                }
            }
            #expect(queue.count == live.count)
            queue.checkInvariants()
        }
        queue.workersReady(true, now: now)
        let left = queue.removeAll()
        #expect(left.count == live.count)
        queue.checkInvariants()
    }
}
