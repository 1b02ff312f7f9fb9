import InferenceTypes
import Testing

@testable import Routing

private func load(_ sequences: Int, prefill: Int = 0, context: Int = 0) -> WorkerLoad {
    WorkerLoad(sequences: sequences, prefillTokens: prefill, contextTokens: context)
}

@Suite struct OtherLoadEstimateTests {
    @Test func isWhatIsReportedBeyondTheOwn() {
        var estimate = OtherLoadEstimate()
        _ = estimate.take(reported: load(5), own: load(2))
        let other = estimate.take(
            reported: load(5, prefill: 300, context: 1_000),
            own: load(2, prefill: 100, context: 900))
        #expect(other == load(3, prefill: 200, context: 600))
    }

    @Test func ownTicketsOnTheirWayOrJustEndedAreNobodyElses() {
        var estimate = OtherLoadEstimate()
        var seen: [Int] = []
        // Reports lag behind what this gateway alone does.
        for (reported, own) in [(0, 4), (4, 4), (4, 0), (2, 0), (0, 3), (3, 1), (1, 1)] {
            seen.append(estimate.take(reported: load(reported), own: load(own)).sequences)
        }
        #expect(seen == [0, 0, 0, 0, 0, 0, 0])
    }

    @Test func othersAreSeenWithTheirSecondReport() {
        var estimate = OtherLoadEstimate()
        _ = estimate.take(reported: load(1), own: load(1))
        let (first, second, gone) = (
            estimate.take(reported: load(9), own: load(1)).sequences,
            estimate.take(reported: load(9), own: load(1)).sequences,
            estimate.take(reported: load(1), own: load(1)).sequences
        )
        #expect(first == 0 && second == 8 && gone == 0)
    }

    @Test func othersLeaveEachGatewayAPlace() {
        var fleet = Fleet(aheadLimitTickets: 2)
        let id = WorkerID(number: 0)
        fleet.add(id, slots: 4)
        fleet.setReady(id, true)
        fleet.setOtherLoad(id, load(100))
        let placed = (0..<5).compactMap { fleet.place(TicketID(number: $0), by: .leastLoad) }
        #expect(placed.count == 2)
        fleet.setOtherLoad(id, load(3))
        #expect(fleet.place(TicketID(number: 9), by: .leastLoad) == id)
        fleet.checkInvariants()
    }
}
