import InferenceTypes
import Testing

@testable import Routing

/// A fleet under random operations. Everything that comes out goes into a digest.
private struct RandomFleet {
    var random: SeededGenerator
    var fleet: Fleet
    var digest: UInt64 = 0
    var held: [TicketID] = []
    var present: [WorkerID] = []
    var nextWorker: UInt32 = 0
    var nextTicket: UInt64 = 0

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
        fleet = Fleet(
            configuration: RoutingConfiguration(
                aheadLimitTickets: 1,
                prefix: PrefixConfiguration(
                    blockTokens: 4, blockLimit: 16, capacityEntries: 512),
                sessionCapacityEntries: 64, seed: seed))
        for _ in 0..<8 { addWorker() }
    }

    mutating func output(_ value: UInt64) {
        digest = SeededGenerator.mix(digest ^ value)
    }

    mutating func addWorker() {
        let id = WorkerID(number: nextWorker)
        nextWorker += 1
        fleet.add(id, slots: Int.random(in: 1...6, using: &random))
        fleet.setReady(id, true)
        present.append(id)
    }

    mutating func step() {
        switch Int.random(in: 0..<40, using: &random) {
        case 0..<18: place()
        case 18..<30: release()
        case 30..<33:
            if let ticket = held.randomElement(using: &random) { fleet.prefillEnded(ticket) }
        case 33..<35:
            if let ticket = held.randomElement(using: &random) {
                fleet.setParked(ticket, Bool.random(using: &random))
            }
        default: changeWorkers()
        }
        output(UInt64(fleet.inFlight) << 32 | UInt64(fleet.readySlots))
    }

    mutating func place() {
        // Few different tokens: prompts share their beginnings.
        let prompt = (0..<Int.random(in: 0..<70, using: &random)).map { _ in
            TokenID.random(in: 0..<2, using: &random)
        }
        let blocks = PromptBlocks(prompt, salt: 5, configuration: fleet.configuration.prefix)
        let request = PlacementRequest(
            promptTokens: prompt.count, outputTokens: 10, blocks: blocks,
            conversation: Bool.random(using: &random)
                ? UInt64.random(in: 0..<200, using: &random) : nil)
        let policy = RoutingPolicy.allCases.randomElement(using: &random) ?? .cost
        let ticket = TicketID(number: nextTicket)
        nextTicket += 1
        let hadRoom = fleet.hasRoom
        guard let record = fleet.placeRecording(ticket, request, by: policy) else {
            #expect(!hadRoom)
            return
        }
        #expect(hadRoom && record.replay() == record.worker)
        #expect(present.contains(record.worker))
        held.append(ticket)
        output(UInt64(record.worker.number))
        for candidate in record.candidates {
            output(UInt64(candidate.worker.number) << 32 | UInt64(candidate.cachedTokens))
            output(candidate.costSeconds.bitPattern)
        }
    }

    mutating func release() {
        guard !held.isEmpty else { return }
        let index = Int.random(in: 0..<held.count, using: &random)
        let ticket = held[index]
        held.swapAt(index, held.count - 1)
        held.removeLast()
        let (first, second) = (fleet.release(ticket), fleet.release(ticket))
        #expect(first && !second)
    }

    mutating func changeWorkers() {
        let id = present.randomElement(using: &random)
        switch (Int.random(in: 0..<10, using: &random), id) {
        case (0, _) where present.count < 12: addWorker()
        case (1, let id?) where present.count > 3:
            fleet.remove(id)
            present.removeAll { $0 == id }
        case (2, let id?): fleet.setDraining(id, Bool.random(using: &random))
        case (3, let id?):
            fleet.setReady(
                id, Bool.random(using: &random), slots: Int.random(in: 1...6, using: &random))
        case (4, let id?): fleet.clearPrefixes(of: id)
        case (5, let id?):
            let count = Int.random(in: 0..<3, using: &random)
            fleet.setOtherLoad(
                id,
                WorkerLoad(
                    sequences: count, prefillTokens: count * 50, contextTokens: count * 100))
        case (6, let id?):
            fleet.setWeight(id, Double(Int.random(in: 1...40, using: &random)) / 10)
        case (7, let id?):
            fleet.setRates(
                id,
                WorkerRates(prefillSecondsPerToken: Double.random(in: 0..<0.01, using: &random)))
        case (_, let id?): fleet.setReady(id, true)
        default: break
        }
    }
}

@Suite struct FleetPropertyTests {
    /// 100,000 operations in all. The digests are written down: each process must find the same.
    @Test(
        arguments: [
            (0, 9_954_361_780_181_281_925), (1, 4_410_810_888_555_479_432),
            (2, 15_532_397_479_255_859_298), (3, 11_315_114_569_553_353_198),
        ] as [(UInt64, UInt64)])
    func randomOperationsKeepTheInvariants(seed: UInt64, digest: UInt64) {
        var subject = RandomFleet(seed: seed)
        for step in 0..<25_000 {
            subject.step()
            #expect(subject.fleet.inFlight == subject.held.count)
            subject.fleet.checkInvariants()
            if step % 100 == 0 { subject.fleet.checkTables() }
        }
        #expect(subject.digest == digest)
    }

    @Test func anotherSeedGivesAnotherDigest() {
        var (one, other) = (RandomFleet(seed: 1), RandomFleet(seed: 2))
        for _ in 0..<500 {
            one.step()
            other.step()
        }
        #expect(one.digest != other.digest)
    }

    @Test func whatIsReleasedLeavesNothing() {
        var subject = RandomFleet(seed: 9)
        for _ in 0..<2_000 { subject.step() }
        while !subject.held.isEmpty { subject.release() }
        #expect(subject.fleet.inFlight == 0)
        #expect(subject.fleet.workers.allSatisfy { $0.load == .none })
    }
}
