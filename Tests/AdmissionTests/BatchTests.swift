import InferenceTypes
import Testing

@testable import Admission

private func ticket(_ number: UInt64) -> TicketID { TicketID(number: number) }
private func worker(_ number: UInt32) -> WorkerID { WorkerID(number: number) }
private func at(_ seconds: Double) -> Instant { Instant(nanoseconds: Int64(seconds * 1e9)) }

@Suite struct BatchTests {
    @Test func getsNothingWhileThereIsNoIdleSlot() {
        var queue = AdmissionQueue(configuration: AdmissionConfiguration(), now: at(0))
        _ = queue.submit([ticket(1)], tier: .batch, deadline: nil, now: at(0))
        _ = queue.submit([ticket(2)], tier: .standard, deadline: nil, now: at(1))
        let first = queue.next(now: at(1), includingBatch: false)
        let second = queue.next(now: at(1), includingBatch: false)
        #expect(first == ticket(2) && second == nil)
        #expect(queue.next(now: at(1), includingBatch: true) == ticket(1))
    }

    @Test func comesAfterEverybodyElseHoweverLongItWaits() {
        var queue = AdmissionQueue(configuration: AdmissionConfiguration(), now: at(0))
        _ = queue.submit([ticket(1)], tier: .batch, deadline: nil, now: at(0))
        _ = queue.submit([ticket(2)], tier: .standard, deadline: nil, now: at(599))
        #expect(queue.next(now: at(599)) == ticket(2))
        #expect(queue.next(now: at(599)) == ticket(1))
    }

    @Test func whoBeganLastGivesWay() {
        var runs = BatchRuns()
        runs.began(ticket(1), on: worker(0))
        runs.began(ticket(2), on: worker(1))
        runs.began(ticket(3), on: worker(0))
        #expect(runs.giveWay(on: worker(1)) == ticket(2))
        #expect(runs.giveWay(on: worker(1)) == nil)
        #expect(runs.giveWay(on: nil) == ticket(3))
        runs.ended(ticket(1))
        runs.ended(ticket(3))
        #expect(runs.giveWay(on: nil) == nil && runs.count == 0)
    }

    /// Against a model that looks at everybody: random arrivals, ends and idle slots.
    @Test(arguments: 0..<20 as Range<UInt64>)
    func nobodyElseEverWaitsBehindIt(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var queue = AdmissionQueue(
            configuration: AdmissionConfiguration(queueLimitTickets: 64), now: at(0))
        var others: Set<TicketID> = []
        var batch: Set<TicketID> = []
        var now = at(0)
        for number in 0..<2_000 as Range<UInt64> {
            now = now.advanced(byNanoseconds: Int64.random(in: 0..<9_000_000_000, using: &random))
            if Bool.random(using: &random) {
                let tier = ServiceTier.allCases.randomElement(using: &random) ?? .batch
                let outcome = queue.submit([ticket(number)], tier: tier, deadline: nil, now: now)
                guard outcome == .queued else { continue }
                if tier == .batch {
                    batch.insert(ticket(number))
                } else {
                    others.insert(ticket(number))
                }
            } else {
                let hasIdleSlot = Bool.random(using: &random)
                let next = queue.next(now: now, includingBatch: hasIdleSlot)
                if let next, batch.remove(next) != nil {
                    #expect(hasIdleSlot && others.isEmpty)
                } else if let next {
                    #expect(others.remove(next) != nil)
                } else {
                    #expect(others.isEmpty && (batch.isEmpty || !hasIdleSlot))
                }
            }
            queue.checkInvariants()
        }
    }
}
