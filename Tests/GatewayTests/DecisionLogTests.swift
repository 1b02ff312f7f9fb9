import Foundation
import InferenceTypes
import Routing
import Testing

@testable import Gateway

@Suite struct DecisionLogTests {
    private func decision(_ request: String, _ attempt: Int = 0) -> Decision {
        Decision(
            requestID: request, choice: 0, attempt: attempt, cause: attempt == 0 ? .new : .retry,
            tier: .standard, queued: .zero, decided: Instant(nanoseconds: 5_000_000), waiting: 3,
            outcome: .refused("queue_full"))
    }

    @Test func findsTheDecisionsOfARequestOldestFirst() {
        var log = DecisionLog(limit: 8)
        log.add(decision("a"))
        log.add(decision("b"))
        log.add(decision("a", 1))
        log.add(decision("a", 2))
        #expect(log.decisions(of: "a").map(\.attempt) == [0, 1, 2])
        #expect(log.decisions(of: "b").count == 1)
        #expect(log.decisions(of: "c").isEmpty)
        log.checkInvariants()
    }

    @Test func forgetsTheOldest() {
        var log = DecisionLog(limit: 4)
        for attempt in 0..<3 { log.add(decision("a", attempt)) }
        for attempt in 0..<3 { log.add(decision("b", attempt)) }
        #expect(log.decisions(of: "a").map(\.attempt) == [2])
        #expect(log.decisions(of: "b").map(\.attempt) == [0, 1, 2])
        log.add(decision("c"))
        #expect(log.decisions(of: "a").isEmpty)
        log.checkInvariants()
    }

    @Test func keepsNothingWhenToldTo() {
        var log = DecisionLog(limit: 0)
        log.add(decision("a"))
        #expect(log.decisions(of: "a").isEmpty && log.count == 0)
    }

    @Test(arguments: [1, 7, 64])
    func randomRequestsKeepTheInvariants(limit: Int) {
        var random = SeededGenerator(seed: UInt64(limit))
        var log = DecisionLog(limit: limit)
        var all: [(request: String, attempt: Int)] = []
        for number in 0..<2_000 {
            let request = "r\(Int.random(in: 0..<40, using: &random))"
            all.append((request, number))
            log.add(decision(request, number))
            log.checkInvariants()
            let known = all.suffix(limit).filter { $0.request == request }.map(\.attempt)
            #expect(log.decisions(of: request).map(\.attempt) == known)
        }
    }

    @Test func theReportSaysWhetherAReplayGivesTheSameChoice() throws {
        var fleet = Fleet(aheadLimitTickets: 0)
        for number in 0..<2 as Range<UInt32> {
            fleet.add(WorkerID(number: number), slots: 4)
            fleet.setReady(WorkerID(number: number), true)
        }
        let placed = fleet.placeRecording(
            TicketID(number: 1), PlacementRequest(promptTokens: 100), by: .cost)
        let record = try #require(placed)
        var decision = decision("a")
        decision.outcome = .placed(record)
        var altered = record
        for index in altered.candidates.indices
        where altered.candidates[index].worker == record.worker {
            altered.candidates[index].load.prefillTokens += 9_000
        }
        var other = decision
        other.outcome = .placed(altered)
        let report = DecisionReport(
            "a", [decision, other], waiting: 0, now: Instant(nanoseconds: 6_000_000))
        #expect(report.decisions.map(\.replay?.isSame) == [true, false])
        #expect(report.decisions[0].waitedMilliseconds == 5)
        // What a client of the admin port parses replays as well.
        struct Answer: Decodable {
            struct Entry: Decodable { var record: DecisionRecord }
            var decisions: [Entry]
        }
        let json = try JSONEncoder().encode(report)
        let parsed = try JSONDecoder().decode(Answer.self, from: json).decisions[0].record
        #expect(parsed == record && parsed.replay() == record.worker)
    }
}
