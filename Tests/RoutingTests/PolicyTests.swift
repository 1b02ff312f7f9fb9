import Foundation
import InferenceTypes
import Testing

@testable import Routing

private func worker(_ number: UInt32) -> WorkerID { WorkerID(number: number) }
private func ticket(_ number: UInt64) -> TicketID { TicketID(number: number) }

private func fleet(
    _ count: Int, slots: Int = 4, configuration: RoutingConfiguration = RoutingConfiguration()
) -> Fleet {
    var fleet = Fleet(configuration: configuration)
    for number in 0..<UInt32(count) {
        fleet.add(worker(number), slots: slots)
        fleet.setReady(worker(number), true)
    }
    return fleet
}

/// A conversation's prompt of so many tokens; prompts of one seed share their beginnings.
private func request(
    _ seed: UInt64, tokens count: Int = 640, conversation: UInt64? = nil
) -> PlacementRequest {
    let tokens = (0..<count).map {
        TokenID(SeededGenerator.value(seed: seed, counter: UInt64($0)) % 32_000)
    }
    let blocks = PromptBlocks(tokens, salt: 0, configuration: PrefixConfiguration())
    return PlacementRequest(promptTokens: count, blocks: blocks, conversation: conversation)
}

@Suite struct PolicyTests {
    @Test func namesAreThoseOfTheOptions() {
        #expect(
            RoutingPolicy.allCases.map(\.rawValue) == [
                "round-robin", "least-load", "power-of-two", "prefix-affinity", "cost",
            ])
    }

    @Test func roundRobinTakesTurnsAndSkipsWhoHasNoRoom() {
        var fleet = fleet(4, slots: 2)
        fleet.setDraining(worker(2), true)
        let placed = (0..<7).map { fleet.place(ticket($0), by: .roundRobin)?.number }
        #expect(placed == [0, 1, 3, 0, 1, 3, 0])
    }

    @Test(arguments: RoutingPolicy.allCases)
    func everyPolicyFillsTheFleetAndNoMore(policy: RoutingPolicy) {
        var fleet = fleet(7, slots: 3, configuration: RoutingConfiguration(aheadLimitTickets: 1))
        for number in 0..<28 as Range<UInt64> {
            #expect(fleet.hasRoom)
            #expect(fleet.place(ticket(number), request(number % 3), by: policy) != nil)
            fleet.checkInvariants()
        }
        #expect(!fleet.hasRoom)
        #expect(fleet.place(ticket(99), request(0), by: policy) == nil)
        #expect(fleet.workers.allSatisfy { $0.inFlight == 4 })
        for number in 0..<28 as Range<UInt64> {
            let released = fleet.release(ticket(number))
            #expect(released)
            fleet.checkInvariants()
        }
        #expect(fleet.workers.allSatisfy { $0.load == .none })
    }

    @Test func powerOfTwoIsMoreEvenThanChance() {
        var fleet = fleet(100, slots: 1_000)
        for number in 0..<10_000 as Range<UInt64> {
            _ = fleet.place(ticket(number), by: .powerOfTwo)
        }
        // Chance alone gives some worker more than 125 of 100.
        #expect(fleet.workers.allSatisfy { (90...108).contains($0.inFlight) })
    }

    @Test func costBringsAPromptToItsPrefix() {
        var fleet = fleet(50, slots: 8)
        for conversation in 0..<20 as Range<UInt64> {
            let first = fleet.place(ticket(conversation), request(conversation), by: .cost)
            _ = fleet.release(ticket(conversation))
            let longer = request(conversation, tokens: 900)
            let record = fleet.placeRecording(ticket(conversation), longer, by: .cost)
            #expect(record?.worker == first)
            let chosen = record?.candidates.first { $0.worker == first }
            #expect(chosen?.cachedTokens == 640 && chosen?.origin == .holder)
            #expect(fleet.worker(record!.worker)?.load.prefillTokens == 260)
            _ = fleet.release(ticket(conversation))
        }
    }

    @Test func costLeavesAHolderThatIsTooBusy() {
        var fleet = fleet(2, slots: 8)
        let first = fleet.place(ticket(0), request(7), by: .cost)
        fleet.prefillEnded(ticket(0))
        let again = fleet.place(ticket(1), request(7), by: .cost)
        #expect(again == first)
        // Ten seconds of somebody else's prefill wait there.
        fleet.setOtherLoad(
            first!, WorkerLoad(sequences: 1, prefillTokens: 10_000, contextTokens: 10_000))
        let spread = fleet.place(ticket(2), request(7), by: .cost)
        #expect(spread != first)
        // Now both hold it.
        #expect(fleet.prefixes.lookup(request(7).blocks).holders.count == 2)
        fleet.checkInvariants()
    }

    @Test func costPrefersAFreeSlotToALongPrefix() {
        var fleet = fleet(2, slots: 1)
        let first = fleet.place(ticket(0), request(7), by: .cost)
        fleet.prefillEnded(ticket(0))
        let second = fleet.place(ticket(1), request(7), by: .cost)
        #expect(second != nil && second != first)
    }

    @Test func withoutPromptsCostSpreadsByLoad() {
        var fleet = fleet(4, slots: 8)
        for number in 0..<16 as Range<UInt64> { _ = fleet.place(ticket(number), by: .cost) }
        #expect(fleet.workers.allSatisfy { $0.inFlight == 4 })
    }

    @Test func prefixAffinityFollowsThePrefixWhateverTheLoad() {
        var fleet = fleet(4, slots: 8)
        let first = fleet.place(ticket(0), request(7), by: .prefixAffinity)
        for number in 1..<10 as Range<UInt64> {
            let placed = fleet.place(ticket(number), request(7), by: .prefixAffinity)
            #expect(placed == first)
        }
        // Eight slots and two ahead: now it goes elsewhere.
        let spilled = fleet.place(ticket(10), request(7), by: .prefixAffinity)
        #expect(spilled != nil && spilled != first)
    }

    @Test(arguments: [RoutingPolicy.cost, .prefixAffinity])
    func aConversationGoesBackToItsWorker(policy: RoutingPolicy) {
        var fleet = fleet(200, slots: 8)
        // Too short for a whole block: only the conversation's key says where it was.
        let short = request(1, tokens: 20, conversation: 77)
        let first = fleet.place(ticket(0), short, by: policy)
        _ = fleet.release(ticket(0))
        let record = fleet.placeRecording(ticket(1), short, by: policy)
        #expect(record?.candidates.contains { $0.origin == .session && $0.worker == first } == true)
        if policy == .prefixAffinity { #expect(record?.worker == first) }
    }

    @Test func aRemovedWorkerIsNoCandidate() {
        var fleet = fleet(3)
        let prompt = request(5, conversation: 9)
        let first = fleet.place(ticket(0), prompt, by: .prefixAffinity)!
        fleet.remove(first)
        fleet.add(worker(3), slots: 4)
        fleet.setReady(worker(3), true)
        #expect(fleet.prefixes.lookup(prompt.blocks).blocks == 0)
        let record = fleet.placeRecording(ticket(1), prompt, by: .prefixAffinity)
        let candidates = record?.candidates ?? []
        #expect(!candidates.isEmpty)
        #expect(candidates.allSatisfy { $0.worker != first && $0.cachedTokens == 0 })
        let released = fleet.release(ticket(0))
        #expect(released)
        fleet.checkInvariants()
    }

    @Test func aWorkerThatLostItsCacheIsKnownForNothing() {
        var fleet = fleet(3)
        let prompt = request(5)
        let first = fleet.place(ticket(0), prompt, by: .cost)!
        fleet.clearPrefixes(of: first)
        let record = fleet.placeRecording(ticket(1), prompt, by: .cost)
        #expect(record?.candidates.allSatisfy { $0.cachedTokens == 0 } == true)
    }

    @Test(arguments: RoutingPolicy.allCases)
    func aRecordReplaysToItsChoice(policy: RoutingPolicy) {
        var fleet = fleet(40)
        var random = SeededGenerator(seed: 3)
        for number in 0..<100 as Range<UInt64> {
            let prompt = request(
                UInt64.random(in: 0..<10, using: &random), conversation: number % 7)
            let record = fleet.placeRecording(ticket(number), prompt, by: policy)
            #expect(record?.replay() == record?.worker)
            var shuffled = record
            shuffled?.candidates.reverse()
            #expect(shuffled?.replay() == record?.worker)
            #expect((record?.candidates.count ?? 0) <= 4 + 1 + 4)
            if number % 3 == 0 { fleet.prefillEnded(ticket(number)) }
            if number % 2 == 0 { _ = fleet.release(ticket(number)) }
        }
    }

    @Test(arguments: RoutingPolicy.allCases)
    func aRecordReplaysToItsChoiceAfterATripThroughJSON(policy: RoutingPolicy) throws {
        var fleet = fleet(40)
        var random = SeededGenerator(seed: 4)
        for number in 0..<100 as Range<UInt64> {
            let rates = WorkerRates(
                prefillSecondsPerToken: Double.random(in: 0..<0.01, using: &random),
                decodeSecondsPerSequence: Double.random(in: 0..<0.01, using: &random))
            fleet.setRates(worker(UInt32(number % 40)), rates)
            fleet.setWeight(worker(UInt32(number % 40)), Double.random(in: 0.1..<9, using: &random))
            let prompt = request(
                UInt64.random(in: 0..<10, using: &random), conversation: number % 7)
            let placed = fleet.placeRecording(ticket(number), prompt, by: policy)
            let record = try #require(placed)
            let json = try JSONEncoder().encode(record)
            let parsed = try JSONDecoder().decode(DecisionRecord.self, from: json)
            #expect(parsed == record)
            #expect(parsed.replay() == record.worker)
            if number % 2 == 0 { _ = fleet.release(ticket(number)) }
        }
    }

    @Test func aRecordWithOtherFactsReplaysToAnotherChoice() throws {
        var fleet = fleet(2)
        let placed = fleet.placeRecording(ticket(0), request(1), by: .cost)
        var record = try #require(placed)
        let index = try #require(record.candidates.firstIndex { $0.worker == record.worker })
        record.candidates[index].load.prefillTokens += 5_000
        #expect(record.replay() != record.worker)
    }

    @Test func randomCandidatesAreDifferentAndFromTheSeed() {
        let fleet = fleet(50)
        for seed in 0..<50 as Range<UInt64> {
            var (one, other): ([Candidate], [Candidate]) = ([], [])
            fleet.appendRandom(4, .unknown, seed: seed, to: &one)
            fleet.appendRandom(4, .unknown, seed: seed, to: &other)
            #expect(one == other)
            #expect(one.count == 4 && Set(one.map(\.worker)).count == 4)
        }
    }

    @Test func loadOfOtherGatewaysCountsAndFills() {
        var fleet = fleet(2, slots: 2, configuration: RoutingConfiguration(aheadLimitTickets: 0))
        fleet.setOtherLoad(
            worker(0), WorkerLoad(sequences: 2, prefillTokens: 0, contextTokens: 100))
        for number in 0..<2 as Range<UInt64> {
            #expect(fleet.place(ticket(number), by: .leastLoad) == worker(1))
        }
        #expect(!fleet.hasRoom)
        fleet.setOtherLoad(worker(0), .none)
        #expect(fleet.place(ticket(2), by: .leastLoad) == worker(0))
        fleet.checkInvariants()
    }
}
