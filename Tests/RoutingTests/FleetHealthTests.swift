import InferenceTypes
import Testing

@testable import Routing

private func seconds(_ value: Double) -> Instant {
    Instant(nanoseconds: Int64((value * 1e9).rounded()))
}

/// One worker with many slots, and its health.
private struct Subject {
    let worker = WorkerID(number: 0)
    var fleet = Fleet(aheadLimitTickets: 0)
    var health = FleetHealth(backoff: Backoff(jitter: 0), now: .zero)
    private var nextTicket: UInt64 = 0

    init() {
        fleet.add(worker, slots: 100)
        fleet.setReady(worker, true)
        health.add(worker)
        health.becameReady(worker)
    }

    /// Places a ticket; nil when the worker takes none.
    mutating func place() -> TicketID? {
        let ticket = TicketID(number: nextTicket)
        nextTicket += 1
        guard let worker = fleet.place(ticket, by: .leastLoad) else { return nil }
        health.granted(ticket, on: worker, in: &fleet)
        return ticket
    }

    mutating func end(_ ticket: TicketID?, _ fault: WorkerFault?, at time: Double) {
        guard let ticket else { return }
        health.ended(ticket, fault, in: &fleet, now: seconds(time))
        _ = fleet.release(ticket)
        health.checkInvariants(fleet)
    }

    var state: WorkerBreaker.State { health.state(of: worker) }
}

@Suite struct FleetHealthTests {
    @Test func fiveFailuresWithinTheWindowOpenIt() {
        var subject = Subject()
        for time in 0..<4 { subject.end(subject.place(), .failed, at: Double(time)) }
        #expect(subject.state == .closed && subject.fleet.hasRoom)
        subject.end(subject.place(), .failed, at: 4)
        #expect(subject.state == .open && !subject.fleet.hasRoom)
        #expect(subject.health.openCount == 1 && subject.health.openings == 1)
        #expect(subject.health.nextDue == seconds(14))
    }

    @Test func newLimitsHoldForBreakersThatAreThere() {
        var subject = Subject()
        for time in 0..<4 { subject.end(subject.place(), .failed, at: Double(time)) }
        subject.health.reconfigure(
            breaker: BreakerConfiguration(
                failureLimit: 2, windowNanoseconds: 30_000_000_000, openNanoseconds: 1_000_000_000),
            retryBudgetPercent: 0)
        subject.health.checkInvariants(subject.fleet)
        #expect(subject.state == .closed && subject.health.budget.percent == 0)
        subject.end(subject.place(), .failed, at: 4)
        #expect(subject.state == .open && subject.health.nextDue == seconds(5))
    }

    @Test func oldFailuresAreForgotten() {
        var subject = Subject()
        for time in 0..<20 { subject.end(subject.place(), .failed, at: Double(time) * 7.5) }
        #expect(subject.state == .closed)
    }

    @Test func oneRequestIsLetThroughWhenItsTimeIsOver() {
        var subject = Subject()
        for _ in 0..<5 { subject.end(subject.place(), .failed, at: 0) }
        subject.health.due(now: seconds(9.9), in: &subject.fleet)
        #expect(subject.place() == nil)
        subject.health.due(now: seconds(10), in: &subject.fleet)
        let trial = subject.place()
        #expect(trial != nil && subject.place() == nil && subject.state == .halfOpen)
        subject.health.answered(trial ?? TicketID(number: 99), in: &subject.fleet)
        #expect(subject.state == .closed && subject.place() != nil)
    }

    @Test func aFailedTrialOpensItAgain() {
        var subject = Subject()
        for _ in 0..<5 { subject.end(subject.place(), .failed, at: 0) }
        subject.health.due(now: seconds(10), in: &subject.fleet)
        subject.end(subject.place(), .failed, at: 11)
        #expect(subject.state == .open && subject.health.nextDue == seconds(21))
    }

    @Test func aTrialWithoutVerdictMakesRoomForAnother() {
        var subject = Subject()
        for _ in 0..<5 { subject.end(subject.place(), .failed, at: 0) }
        subject.health.due(now: seconds(10), in: &subject.fleet)
        subject.end(subject.place(), nil, at: 11)
        #expect(subject.state == .halfOpen && subject.place() != nil)
    }

    @Test func whatRanBeforeItOpenedDecidesNothing() {
        var subject = Subject()
        let before = subject.place()
        for _ in 0..<5 { subject.end(subject.place(), .failed, at: 0) }
        subject.health.due(now: seconds(10), in: &subject.fleet)
        let trial = subject.place()
        subject.end(before, .failed, at: 11)
        #expect(subject.state == .halfOpen && trial != nil)
    }

    @Test(arguments: [WorkerFault.rejected, .contextFull, .abandoned, .busy, .leaving])
    func whatIsNotTheWorkersFaultDoesNotCount(fault: WorkerFault) {
        var subject = Subject()
        for time in 0..<50 {
            subject.health.due(now: seconds(Double(time)), in: &subject.fleet)
            subject.end(subject.place(), fault, at: Double(time))
        }
        #expect(subject.state == .closed)
    }

    @Test func aFullWorkerIsHeldForLongerEachTime() {
        var subject = Subject()
        let (first, second) = (subject.place(), subject.place())
        subject.end(first, .busy, at: 0)
        subject.end(second, .busy, at: 0.01)
        #expect(!subject.fleet.hasRoom && subject.health.nextDue == seconds(0.05))
        subject.health.due(now: seconds(0.05), in: &subject.fleet)
        subject.end(subject.place(), .busy, at: 1)
        #expect(subject.health.nextDue == seconds(1.075))
        subject.health.due(now: seconds(1.1), in: &subject.fleet)
        let answered = subject.place() ?? TicketID(number: 99)
        subject.health.answered(answered, in: &subject.fleet)
        subject.end(answered, .busy, at: 2)
        #expect(subject.health.nextDue == seconds(2.05))
    }

    @Test func theEndOfAWorkerThatServedIsNoFailure() {
        var subject = Subject()
        for life in 0..<20 {
            let tickets = (0..<8).map { _ in subject.place() }
            if let first = tickets[0] { subject.health.answered(first, in: &subject.fleet) }
            for ticket in tickets { subject.end(ticket, .lost, at: Double(life)) }
            subject.health.becameReady(subject.worker)
        }
        #expect(subject.state == .closed)
    }

    @Test func aWorkerThatDiesOfWhateverItGetsIsBroken() {
        var subject = Subject()
        for life in 0..<5 {
            #expect(subject.state == .closed)
            let tickets = (0..<8).map { _ in subject.place() }
            for ticket in tickets { subject.end(ticket, .lost, at: Double(life)) }
            subject.health.becameReady(subject.worker)
        }
        #expect(subject.state == .open)
    }
}

@Suite struct RetryBudgetTests {
    @Test func isAShareOfTheLastSeconds() {
        var budget = RetryBudget(percent: 20, now: .zero)
        budget.requested(1_000, now: seconds(1))
        var taken = 0
        while budget.take(now: seconds(2)) { taken += 1 }
        #expect(taken == 200 + RetryBudget.floorPerSecond * RetryBudget.windowSeconds)
        budget.checkInvariants()
        let later = budget.take(now: seconds(12))
        #expect(later)
    }

    @Test func whatMustBeDoneIsChargedAndNeverRefused() {
        var budget = RetryBudget(percent: 20, now: .zero)
        for _ in 0..<100 { budget.charge(now: .zero) }
        let more = budget.take(now: .zero)
        #expect(!more)
        let afterwards = budget.take(now: seconds(30))
        #expect(afterwards)
        budget.checkInvariants()
    }

    @Test func noneAtAll() {
        var budget = RetryBudget(percent: 0, now: .zero)
        budget.requested(1_000, now: .zero)
        let any = budget.take(now: .zero)
        #expect(!any)
    }
}
