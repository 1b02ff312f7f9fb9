import InferenceTypes
import Testing

@testable import Admission

private func at(_ seconds: Double) -> Instant { Instant(nanoseconds: Int64(seconds * 1e9)) }
private func seconds(_ seconds: Double) -> Int64 { Int64(seconds * 1e9) }

@Suite struct OverloadTests {
    private func controller() -> OverloadController {
        OverloadController(
            configuration: OverloadController.Configuration(
                targetNanoseconds: seconds(1), intervalNanoseconds: seconds(10)))
    }

    @Test func aBurstThatPassesShedsNothing() {
        var overload = controller()
        for second in 0..<9 {
            overload.handedOut(.standard, waited: seconds(3), now: at(Double(second)))
        }
        overload.handedOut(.standard, waited: seconds(0.5), now: at(9))
        overload.handedOut(.standard, waited: seconds(3), now: at(12))
        #expect(overload.due(.standard, waiting: 50, now: at(12)) == 0)
    }

    @Test func aStandingQueueIsShedFasterAndFaster() {
        var overload = controller()
        var shed: [Int] = []
        for second in 0..<40 {
            let now = at(Double(second))
            overload.handedOut(.standard, waited: seconds(3), now: now)
            let due = overload.due(.standard, waiting: 50, now: now)
            if due > 0 { shed.append(second) }
        }
        #expect(shed == [10, 20, 28, 33, 38])
        overload.handedOut(.standard, waited: seconds(0.2), now: at(40))
        #expect(!overload.isShedding)
        #expect(overload.due(.standard, waiting: 50, now: at(60)) == 0)
    }

    @Test func withoutATargetNothingIsShed() {
        var overload = OverloadController(
            configuration: OverloadController.Configuration(targetNanoseconds: 0))
        for second in 0..<100 {
            overload.handedOut(.priority, waited: seconds(99), now: at(Double(second)))
            #expect(overload.due(.priority, waiting: 9, now: at(Double(second))) == 0)
        }
    }

    /// Random queues: each shed ticket is of the lowest tier that waits, and its tenant's newest.
    @Test(arguments: 0..<20 as Range<UInt64>)
    func neverAHigherTierBeforeALowerOne(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var queue = AdmissionQueue(configuration: AdmissionConfiguration(), now: at(0))
        var live: [TicketID: (tier: ServiceTier, tenant: UInt32)] = [:]
        for number in 0..<300 as Range<UInt64> {
            let tier = ServiceTier.allCases.randomElement(using: &random) ?? .batch
            let tenant = UInt32.random(in: 0..<5, using: &random)
            let ticket = TicketID(number: number)
            _ = queue.submit(
                [AdmissionQueue.Work(ticket, nanoseconds: 1_000)],
                of: AdmissionQueue.Claim(tenant: TenantNumber(tenant), share: .equal),
                tier: tier, deadline: nil, now: at(Double(number)))
            live[ticket] = (tier, tenant)
            guard Bool.random(using: &random) else { continue }
            guard let shed = queue.shedNewest(), let gone = live.removeValue(forKey: shed) else {
                Issue.record("nothing shed")
                return
            }
            #expect(live.values.allSatisfy { $0.tier <= gone.tier })
            #expect(
                live.allSatisfy {
                    $0.value.tier != gone.tier || $0.value.tenant != gone.tenant || $0.key < shed
                })
            queue.checkInvariants()
        }
    }

    @Test func whoHasMostWaitingIsShed() {
        var queue = AdmissionQueue(configuration: AdmissionConfiguration(), now: at(0))
        func submit(_ number: UInt64, _ tenant: UInt32) {
            _ = queue.submit(
                [AdmissionQueue.Work(TicketID(number: number))],
                of: AdmissionQueue.Claim(tenant: TenantNumber(tenant), share: .equal),
                tier: .standard, deadline: nil, now: at(Double(number)))
        }
        for number in 0..<10 as Range<UInt64> { submit(number, 1) }
        submit(10, 2)
        #expect(queue.shedNewest() == TicketID(number: 9))
        #expect(queue.shedNewest() == TicketID(number: 8))
    }
}
