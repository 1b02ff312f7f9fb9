import Admission
import InferenceTypes
import Routing
import Testing

@testable import Gateway

private func ticket(_ number: UInt64) -> TicketID { TicketID(number: number) }

private func summary(_ tokens: Int) -> RunSummary {
    RunSummary(timedTokens: 0, generatedTokens: tokens, cachedTokens: 0)
}

@Suite struct DispatcherAdmissionTests {
    @Test func limitsAreSettledWithWhatTheRequestUsed() async throws {
        let limits = RateLimits(tokensPerMinute: 1_200, concurrentRequests: 2)
        let trial = try DispatcherTrial()
        try await trial.run { dispatcher in
            dispatcher.submit(Submission([ticket(1), ticket(2)], limits: limits, output: 60))
            #expect(dispatcher.commons.limits.reserved == 1)
            // 130 of 200 are reserved.
            dispatcher.submit(Submission([ticket(3)], limits: limits, output: 61))
            #expect(dispatcher.tickets[ticket(3)] == nil)
            dispatcher.finish(ticket(1), summary(10))
            dispatcher.finish(ticket(2), summary(20))
            #expect(dispatcher.commons.limits.reserved == 0)
            // 40 were used.
            dispatcher.submit(Submission([ticket(4)], limits: limits, output: 150))
            #expect(dispatcher.tickets[ticket(4)] != nil)
            dispatcher.submit(Submission([ticket(5)], limits: limits, output: 1))
            #expect(dispatcher.tickets[ticket(5)] == nil)
        }
        #expect(trial.status.refusals.limited == 2)
    }

    @Test func whatTheFleetRefusesCostsNoLimit() async throws {
        let limits = RateLimits(requestsPerMinute: 60)
        let trial = try DispatcherTrial(AdmissionConfiguration(queueLimitTickets: 1))
        try await trial.run { dispatcher in
            for number in 1...3 as ClosedRange<UInt64> {
                dispatcher.submit(Submission([ticket(number)], limits: limits))
            }
            for number in 4...100 as ClosedRange<UInt64> {
                dispatcher.submit(Submission([ticket(number)], limits: limits))
            }
            #expect(dispatcher.commons.limits.reserved == 3)
            for number in 1...3 as ClosedRange<UInt64> {
                dispatcher.finish(ticket(number), summary(0))
            }
            for number in 101...107 as ClosedRange<UInt64> {
                dispatcher.submit(Submission([ticket(number)], limits: limits))
                #expect(dispatcher.tickets[ticket(number)] != nil)
                dispatcher.finish(ticket(number), summary(1))
            }
            dispatcher.submit(Submission([ticket(200)], limits: limits))
            #expect(dispatcher.tickets[ticket(200)] == nil)
        }
        #expect(trial.status.refusals.queueFull == 97 && trial.status.refusals.limited == 1)
    }

    @Test func aFloodingTenantGetsHalf() async throws {
        let trial = try DispatcherTrial()
        try await trial.run { dispatcher in
            var sent: UInt64 = 0
            var served: [UInt32: Int] = [:]
            func submit(_ tenant: UInt32) {
                sent += 1
                dispatcher.submit(
                    Submission([ticket(sent << 8 | UInt64(tenant))], tenant: tenant))
            }
            for _ in 0..<500 { submit(1) }
            for _ in 0..<4 { submit(2) }
            for _ in 0..<300 {
                guard let done = dispatcher.running.first else { break }
                trial.clock.pass(0.1)
                let tenant = UInt32(done.number & 255)
                served[tenant, default: 0] += 1
                dispatcher.finish(done, summary(100))
                if tenant == 2 { submit(2) }
            }
            #expect(abs((served[1] ?? 0) - (served[2] ?? 0)) <= 4)
            let (first, second) = (
                dispatcher.queue.charged(TenantNumber(1)),
                dispatcher.queue.charged(TenantNumber(2))
            )
            #expect(abs(Double(first) / Double(second) - 1) < 0.05)
        }
    }

    @Test func chargesAreCorrectedByWhatWasGenerated() async throws {
        let trial = try DispatcherTrial()
        try await trial.run { dispatcher in
            dispatcher.submit(Submission([ticket(1)], tenant: 1))
            dispatcher.submit(Submission([ticket(2)], tenant: 2))
            dispatcher.submit(Submission([ticket(3)], tenant: 3))
            dispatcher.finish(ticket(1), summary(100))
            dispatcher.finish(ticket(2), summary(10))
            // Handed out, and gone at once.
            dispatcher.finish(ticket(3), summary(0))
            let charged = (1...3).map { dispatcher.queue.charged(TenantNumber($0)) }
            #expect(charged[0] > charged[1] * 4 && charged[1] > 1_000_000 && charged[2] == 1)
            // Gone while it waited.
            for number in 4...6 as ClosedRange<UInt64> {
                dispatcher.submit(Submission([ticket(number)], tenant: 4))
            }
            dispatcher.finish(ticket(6), summary(0))
            for number in 4...5 as ClosedRange<UInt64> {
                dispatcher.finish(ticket(number), summary(0))
            }
            #expect(dispatcher.queue.charged(TenantNumber(4)) == 2)
        }
    }

    @Test func whatCannotMeetItsDeadlineIsRefusedWhenItComes() async throws {
        let trial = try DispatcherTrial()
        try await trial.run { dispatcher in
            for number in 0..<60 as Range<UInt64> {
                dispatcher.submit(Submission([ticket(number)], prompt: 0))
            }
            for number in 0..<30 as Range<UInt64> {
                trial.clock.pass(0.5)
                dispatcher.finish(ticket(number), summary(100))
            }
            // 28 wait, one of which gets a slot each 0.5 s.
            func submit(_ number: UInt64, seconds: Double) -> Bool {
                dispatcher.submit(
                    Submission(
                        [ticket(number)],
                        deadline: trial.clock.now.advanced(byNanoseconds: Int64(seconds * 1e9)),
                        prompt: 0))
                return dispatcher.tickets[ticket(number)] != nil
            }
            let (late, inTime) = (submit(100, seconds: 7), submit(101, seconds: 30))
            #expect(!late && inTime)
            // Another tenant is served soon.
            dispatcher.submit(
                Submission(
                    [ticket(102)], tenant: 2,
                    deadline: trial.clock.now.advanced(byNanoseconds: 7_000_000_000), prompt: 0))
            #expect(dispatcher.tickets[ticket(102)] != nil)
            let refusal = Refusal.wouldWaitTooLong(
                predictedNanoseconds: 14_000_000_000, excessNanoseconds: 7_000_000_000)
            let milliseconds = dispatcher.retryAfterMilliseconds(
                refusal, [], now: trial.clock.now)
            #expect((7_000...9_000).contains(milliseconds))
        }
        #expect(trial.status.refusals.wouldWaitTooLong == 1)
        let predictions = trial.status.predictions
        #expect(predictions.kept + predictions.exceeded == 30)
    }

    @Test func anOverloadShedsTheNewestOfTheLowestTier() async throws {
        var admission = AdmissionConfiguration()
        admission.overload = OverloadController.Configuration(
            targetNanoseconds: 1_000_000_000, intervalNanoseconds: 2_000_000_000)
        let trial = try DispatcherTrial(admission, slots: 1)
        try await trial.run { dispatcher in
            for number in 0..<20 as Range<UInt64> {
                dispatcher.submit(Submission([ticket(number)]))
            }
            dispatcher.submit(Submission([ticket(20)], tier: .batch))
            for number in 0..<8 as Range<UInt64> {
                trial.clock.pass(1)
                dispatcher.finish(ticket(number), summary(100))
            }
            #expect(dispatcher.tickets[ticket(20)] == nil)
            #expect(dispatcher.tickets[ticket(19)] == nil)
            #expect(dispatcher.tickets[ticket(9)] != nil)
        }
        #expect(trial.status.refusals.shed >= 2)
    }

    @Test func aTicketIsToldItsPlace() async throws {
        let trial = try DispatcherTrial(slots: 1)
        try await trial.run { dispatcher in
            for number in 0..<5 as Range<UInt64> {
                dispatcher.submit(Submission([ticket(number)]))
            }
            let positions = (0..<5 as Range<UInt64>).map {
                dispatcher.queue.place(of: ticket($0))?.position
            }
            #expect(positions == [nil, 0, 1, 2, 3])
            dispatcher.finish(ticket(0), summary(1))
            #expect(dispatcher.queue.place(of: ticket(4))?.position == 2)
        }
    }

    /// Random requests, ends, retries and a retirement: nothing of any limit is left.
    @Test(arguments: 0..<10 as Range<UInt64>)
    func nothingIsLeftReserved(seed: UInt64) async throws {
        let trial = try DispatcherTrial(
            AdmissionConfiguration(queueLimitTickets: 12, waitLimitNanoseconds: 3_000_000_000))
        try await trial.run { dispatcher in
            var random = SeededGenerator(seed: seed)
            var sent: UInt64 = 0
            for _ in 0..<1_500 {
                trial.clock.pass(Double.random(in: 0..<0.4, using: &random))
                let some = dispatcher.tickets.keys.sorted().randomElement(using: &random)
                switch Int.random(in: 0..<8, using: &random) {
                case 0...2:
                    let count = UInt64.random(in: 1...3, using: &random)
                    let tickets = (1...count).map { ticket(sent + $0) }
                    sent += count
                    dispatcher.submit(
                        Submission(
                            tickets, tenant: UInt32.random(in: 0..<4, using: &random),
                            tier: ServiceTier.allCases.randomElement(using: &random) ?? .batch,
                            limits: RateLimits(
                                requestsPerMinute: 100, tokensPerMinute: 20_000,
                                concurrentRequests: 3),
                            deadline: Bool.random(using: &random)
                                ? trial.clock.now.advanced(byNanoseconds: 900_000_000) : nil))
                case 3...4:
                    guard let some = dispatcher.running.randomElement(using: &random) else { break }
                    dispatcher.finish(some, summary(Int.random(in: 0..<200, using: &random)))
                case 5:
                    if let some { dispatcher.finish(some, summary(0)) }
                case 6:
                    guard let some = dispatcher.running.randomElement(using: &random) else { break }
                    dispatcher.requeue(some, .retry)
                default:
                    dispatcher.expire()
                }
                dispatcher.queue.checkInvariants()
                dispatcher.commons.limits.checkInvariants()
            }
            dispatcher.retire(seconds: 0) {}
            for ticket in dispatcher.tickets.keys.sorted() { dispatcher.finish(ticket, summary(1)) }
            #expect(dispatcher.commons.limits.reserved == 0)
            #expect(dispatcher.limitedRequests.isEmpty && dispatcher.queue.isEmpty)
        }
        #expect(trial.status.refusals.limited > 0)
    }
}
