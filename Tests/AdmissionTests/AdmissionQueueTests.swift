import InferenceTypes
import Testing

@testable import Admission

private func ticket(_ number: UInt64) -> TicketID { TicketID(number: number) }
private func at(_ seconds: Double) -> Instant { Instant(nanoseconds: Int64(seconds * 1e9)) }

private func queue(limit: Int = 8, promotion: Int64 = 10_000_000_000) -> AdmissionQueue {
    var queue = AdmissionQueue(
        configuration: AdmissionConfiguration(
            queueLimitTickets: limit, waitLimitNanoseconds: 60_000_000_000,
            noWorkerWaitLimitNanoseconds: 5_000_000_000, promotionNanoseconds: promotion),
        now: at(0))
    queue.workersReady(true, now: at(0))
    return queue
}

@Suite struct AdmissionQueueTests {
    @Test func servesInOrderOfArrivalWithinATier() {
        var queue = queue()
        #expect(queue.submit([ticket(1)], tier: .standard, deadline: nil, now: at(0)) == .queued)
        #expect(queue.submit([ticket(2)], tier: .standard, deadline: nil, now: at(1)) == .queued)
        #expect(queue.next(now: at(2)) == ticket(1))
        #expect(queue.next(now: at(2)) == ticket(2))
        #expect(queue.next(now: at(2)) == nil)
    }

    @Test func servesBetterTiersFirst() {
        var queue = queue()
        _ = queue.submit([ticket(1)], tier: .batch, deadline: nil, now: at(0))
        _ = queue.submit([ticket(2)], tier: .standard, deadline: nil, now: at(1))
        _ = queue.submit([ticket(3)], tier: .priority, deadline: nil, now: at(2))
        #expect(queue.next(now: at(3)) == ticket(3))
        #expect(queue.next(now: at(3)) == ticket(2))
        #expect(queue.next(now: at(3)) == ticket(1))
    }

    @Test func ageingLetsALowTierOvertakeNewerWork() {
        var queue = queue()
        _ = queue.submit([ticket(1)], tier: .standard, deadline: nil, now: at(0))
        _ = queue.submit([ticket(2)], tier: .priority, deadline: nil, now: at(10))
        #expect(queue.next(now: at(10)) == ticket(1))
    }

    @Test func refusesARequestWholeWhenTheQueueIsFull() {
        var queue = queue(limit: 3)
        #expect(
            queue.submit([ticket(1), ticket(2)], tier: .standard, deadline: nil, now: at(0))
                == .queued)
        #expect(
            queue.submit([ticket(3), ticket(4)], tier: .standard, deadline: nil, now: at(0))
                == .refused(.queueFull(limit: 3)))
        #expect(queue.count == 2)
        #expect(queue.submit([ticket(5)], tier: .standard, deadline: nil, now: at(0)) == .queued)
    }

    @Test func cancelledTicketsAreSkippedAndFreeTheirPlace() {
        var queue = queue(limit: 2)
        _ = queue.submit([ticket(1), ticket(2)], tier: .standard, deadline: nil, now: at(0))
        let cancelled = queue.cancel(ticket(1))
        let again = queue.cancel(ticket(1))
        #expect(cancelled && !again)
        #expect(queue.submit([ticket(3)], tier: .standard, deadline: nil, now: at(0)) == .queued)
        #expect(queue.next(now: at(0)) == ticket(2))
        #expect(queue.next(now: at(0)) == ticket(3))
    }

    @Test func expiresByDeadlineByWaitLimitAndForWantOfWorkers() {
        var queue = queue()
        _ = queue.submit([ticket(1)], tier: .standard, deadline: at(2), now: at(0))
        _ = queue.submit([ticket(2)], tier: .standard, deadline: nil, now: at(0))
        let first = queue.expire(now: at(2))
        #expect(first.map(\.ticket) == [ticket(1)])
        #expect(first.map(\.refusal) == [.deadlinePassed])
        queue.workersReady(false, now: at(10))
        #expect(queue.expire(now: at(14)).isEmpty)
        #expect(queue.expire(now: at(15)).map(\.refusal) == [.noWorker])
        queue.workersReady(true, now: at(16))
        _ = queue.submit([ticket(3)], tier: .standard, deadline: nil, now: at(20))
        #expect(
            queue.expire(now: at(80)).map(\.refusal)
                == [.waitedTooLong(nanoseconds: 60_000_000_000)])
    }

    @Test func drainingRefusesNewRequestsAndKeepsThoseThatWait() {
        var queue = queue()
        _ = queue.submit([ticket(1)], tier: .standard, deadline: nil, now: at(0))
        queue.drain()
        #expect(
            queue.submit([ticket(2)], tier: .standard, deadline: nil, now: at(0))
                == .refused(.draining))
        #expect(queue.next(now: at(0)) == ticket(1))
    }

    @Test func requeuedTicketsGoFirst() {
        var queue = queue()
        _ = queue.submit([ticket(1), ticket(2)], tier: .standard, deadline: nil, now: at(0))
        _ = queue.next(now: at(0))
        queue.requeue(ticket(1), tier: .standard, arrival: at(0), deadline: nil, now: at(1))
        #expect(queue.next(now: at(1)) == ticket(1))
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func randomOperationsKeepTheInvariants(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var queue = queue(limit: 32, promotion: 1_000)
        var live: [TicketID] = []
        var issued: UInt64 = 0
        var now = at(0)
        for _ in 0..<2_000 {
            now = now.advanced(byNanoseconds: Int64.random(in: 0..<2_000, using: &random))
            switch Int.random(in: 0..<6, using: &random) {
            case 0, 1, 2:
                let count = Int.random(in: 1...3, using: &random)
                let tickets = (0..<count).map { _ in
                    issued += 1
                    return ticket(issued)
                }
                let tier = ServiceTier.allCases.randomElement(using: &random) ?? .standard
                let room = queue.count + count <= 32
                let outcome = queue.submit(tickets, tier: tier, deadline: nil, now: now)
                #expect((outcome == .queued) == room)
                if room { live += tickets }
            case 3, 4:
                let next = queue.next(now: now)
                #expect((next == nil) == live.isEmpty)
                live.removeAll { $0 == next }
            default:
                guard let victim = live.randomElement(using: &random) else { continue }
                let cancelled = queue.cancel(victim)
                #expect(cancelled)
                live.removeAll { $0 == victim }
            }
            #expect(queue.count == live.count)
            queue.checkInvariants()
        }
    }
}
