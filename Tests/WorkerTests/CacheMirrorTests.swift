import EngineProtocol
import InferenceTypes
import Routing
import Testing

@testable import Scheduling
@testable import Worker

private func growth(
    _ sequence: SequenceID, at position: Int, _ tokens: [TokenID], salt: UInt64? = 7
) -> CacheChange {
    CacheChange(
        operations: [],
        entries: [
            .init(
                sequence: sequence, position: position, tokenCount: tokens.count, salt: salt)
        ], tokens: tokens)
}

private func operation(_ operation: CacheOperation) -> CacheChange {
    CacheChange(operations: [operation], entries: [], tokens: [])
}

private func hashes(_ tokens: [TokenID], salt: UInt64 = 7) -> [UInt64] {
    PromptBlocks(tokens, salt: salt, configuration: PrefixConfiguration(blockTokens: 4)).hashes
}

/// What a subscriber knows, who applies the events.
private struct Follower {
    var blocks: Set<UInt64> = []

    mutating func apply(_ events: [EngineCacheEvent]) {
        for event in events {
            switch event {
            case .cleared: blocks.removeAll()
            case .stored(let stored):
                for block in stored.blocks {
                    let isNew = blocks.insert(block.hash).inserted
                    #expect(isNew, "stored twice")
                }
            case .removed(let hashes):
                for hash in hashes {
                    let was = blocks.remove(hash)
                    #expect(was != nil, "removed, but never stored")
                }
            }
        }
    }
}

@Suite struct CacheMirrorTests {
    @Test func tellsWholeBlocksUnderTheRouterHashes() {
        var mirror = CacheMirror(blockTokens: 4)
        mirror.apply(growth(0, at: 0, [1, 2, 3, 4, 5, 6]))
        mirror.apply(growth(0, at: 6, [7, 8, 9]))
        let expected = hashes([1, 2, 3, 4, 5, 6, 7, 8])
        #expect(
            mirror.takeEvents() == [
                .stored(
                    EngineStoredBlocks(
                        blocks: [
                            .init(hash: expected[0], tokens: [1, 2, 3, 4]),
                            .init(hash: expected[1], tokens: [5, 6, 7, 8]),
                        ], blockTokens: 4, parent: nil, salt: "7"))
            ])
        mirror.checkInvariants()
    }

    @Test func aBlockIsGoneWithTheLastSequenceThatHasIt() {
        var mirror = CacheMirror(blockTokens: 4)
        mirror.apply(growth(0, at: 0, [1, 2, 3, 4, 5, 6, 7, 8]))
        mirror.apply(operation(.copy(from: 0, to: 3, length: 5)))
        mirror.apply(growth(3, at: 5, [9, 9, 9]))
        _ = mirror.takeEvents()
        mirror.apply(operation(.clear(0)))
        let expected = hashes([1, 2, 3, 4, 5, 6, 7, 8])
        #expect(mirror.takeEvents() == [.removed([expected[1]])])
        mirror.apply(operation(.truncate(3, length: 3)))
        #expect(
            mirror.takeEvents() == [
                .removed([hashes([1, 2, 3, 4, 5, 9, 9, 9])[1], expected[0]])
            ])
        #expect(mirror.blockCount == 0)
        mirror.checkInvariants()
    }

    @Test func anotherTenantsRequestRenamesTheBlocksItTakesOver() {
        var mirror = CacheMirror(blockTokens: 4)
        mirror.apply(growth(0, at: 0, [1, 2, 3, 4]))
        _ = mirror.takeEvents()
        mirror.apply(growth(0, at: 4, [5, 6, 7, 8], salt: 8))
        let renamed = hashes([1, 2, 3, 4, 5, 6, 7, 8], salt: 8)
        var follower = Follower(blocks: Set(hashes([1, 2, 3, 4])))
        follower.apply(mirror.takeEvents())
        #expect(follower.blocks == Set(renamed))
        mirror.checkInvariants()
    }

    @Test func claimsNothingOfWhatItDidNotSeeBegin() {
        var mirror = CacheMirror(blockTokens: 4)
        mirror.apply(growth(2, at: 40, [1, 2, 3, 4, 5, 6, 7, 8]))
        mirror.apply(operation(.copy(from: 2, to: 3, length: 20)))
        mirror.apply(growth(3, at: 20, [1, 2, 3, 4]))
        #expect(mirror.takeEvents().isEmpty && mirror.blockCount == 0)
        mirror.apply(operation(.clear(2)))
        mirror.apply(growth(2, at: 0, [1, 2, 3, 4]))
        #expect(mirror.blockCount == 1)
    }

    /// A scheduler's whole life with little room, so that prefixes are shared, cut and given up.
    @Test(arguments: 0..<6 as Range<UInt64>)
    func followsTheSchedulersCache(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let properties = EngineProperties(
            contextTokens: 256, cacheCells: 320, maxSequences: 8, batchTokens: 64,
            vocabularySize: 100, endOfGenerationTokens: [2])
        var configuration = SchedulerConfiguration()
        configuration.slots = 4
        var scheduler = try Scheduler(configuration: configuration, engine: properties)
        var engine = SimulatedEngine(
            .init(
                properties: properties,
                generation: .init(tokens: 10..<100, endOfGenerationToken: 2),
                time: .immediate))
        let log = CacheLog()
        log.turnOn()
        var mirror = CacheMirror(blockTokens: 4)
        var follower = Follower()
        var compared = 0
        for number in 0..<1_500 as Range<UInt64> {
            let now = Instant(nanoseconds: Int64(number) * 1_000_000)
            if Int.random(in: 0..<4, using: &random) == 0 {
                var sampling = SamplingParameters()
                sampling.maxTokens = Int.random(in: 1..<30, using: &random)
                var request = GenerationRequest(
                    id: "\(number)",
                    prompt: (0..<Int.random(in: 1..<60, using: &random)).map {
                        // Prompts share their beginnings.
                        $0 < 30 ? 20 : TokenID.random(in: 10..<14, using: &random)
                    }, sampling: sampling)
                request.prefixSalt = 7
                try? scheduler.submit(
                    request, key: SequenceKey(number), deadline: nil, now: now)
            }
            guard let plan = scheduler.schedule(now: now) else { continue }
            let result = try engine.execute(plan)
            _ = scheduler.complete(plan, result, now: now)
            log.record(plan, succeeded: true)
            for change in try #require(log.take()) { mirror.apply(change) }
            follower.apply(mirror.takeEvents())
            mirror.checkInvariants()
            // Operations that wait for the next plan are not carried out yet.
            guard scheduler.cacheOperations.isEmpty else { continue }
            compared += 1
            let held = (0..<properties.maxSequences).flatMap {
                hashes(scheduler.cache.tokens(SequenceID($0)))
            }
            #expect(follower.blocks == Set(held))
        }
        #expect(compared > 300 && follower.blocks.count > 5)
        var late = Follower()
        late.apply(mirror.snapshot())
        #expect(late.blocks == follower.blocks)
    }

    @Test func aLogThatOverrunsSaysSo() {
        let log = CacheLog()
        var plan = StepPlan()
        plan.cacheOperations = [.clear(0)]
        log.record(plan, succeeded: true)
        #expect(log.take()?.isEmpty == true, "nothing is kept before anybody asks")
        log.turnOn()
        for _ in 0...CacheLog.changesMax { log.record(plan, succeeded: true) }
        #expect(log.take() == nil)
        log.record(plan, succeeded: false)
        #expect(log.take()?.count == 1)
    }
}
