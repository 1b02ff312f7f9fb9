import InferenceTypes
import Testing

@testable import Scheduling

/// Four priority chats beside forty batch clients that ask again as soon as they are answered:
/// Llama 70B in FP8 on two H100s, in virtual time.
@Suite struct TierChatsTests {
    static func world(isFlooded: Bool) throws -> LoadWorld {
        var configuration = SchedulerConfiguration()
        configuration.slots = 48
        configuration.waitingRequestsMax = 256
        configuration.stepProfile = GPUStepModel.llama70BOnH100.affineProfile
        let properties = EngineProperties(
            contextTokens: 32_768, cacheCells: 300_000, maxSequences: 128, batchTokens: 2_048,
            vocabularySize: 1000)
        var world = try LoadWorld(
            configuration, properties: properties, time: .gpu(.llama70BOnH100), arrivals: [])
        var random = SeededGenerator(seed: 3)
        // When each chat asks again, and the request of each that runs; -1: none.
        var asksAt = (0..<4).map { TierFloodTests.seconds + 70_000_000 * $0 }
        var running = Array(repeating: -1, count: 4)
        var flood = Array(repeating: -1, count: isFlooded ? 40 : 0)
        try world.run(until: 300 * TierFloodTests.seconds) { world in
            for client in flood.indices
            where flood[client] < 0 || world.seen[flood[client]].isDone {
                flood[client] = world.seen.count
                try world.submit(
                    LoadWorld.Arrival(
                        at: world.now, tier: .batch, tenant: "bulk", prompt: 3_000, output: 200))
            }
            for client in running.indices {
                if running[client] >= 0, world.seen[running[client]].isDone {
                    running[client] = -1
                    asksAt[client] =
                        world.now + Int64.random(in: 50_000_000...300_000_000, using: &random)
                }
                guard running[client] < 0, asksAt[client] <= world.now || !world.hasWork else {
                    continue
                }
                running[client] = world.seen.count
                try world.submit(
                    LoadWorld.Arrival(
                        at: min(world.now, asksAt[client]), tier: .priority, tenant: "chat",
                        prompt: 340, output: 60))
            }
        }
        return world
    }

    /// Of the steps of priority chats the longest are those with a prompt of one of them: what
    /// batch adds to those is what the chats' 99th percentile shows.
    @Test func chatsHardlyNoticeBatchClients() throws {
        func isPriority(_ arrival: LoadWorld.Arrival) -> Bool { arrival.tier == .priority }
        let alone = try Self.world(isFlooded: false)
        let beside = try Self.world(isFlooded: true)
        for world in [alone, beside] {
            let (first, gaps) = (world.firstTokens(isPriority), world.gaps(isPriority))
            print(
                "H100 chats: TTFT p50 \(first.p50) p99 \(first.p99) ms, ITL p50 \(gaps.p50)",
                "p99 \(gaps.p99) ms,",
                "\(world.tokens(isPriority)) priority and",
                "\(world.tokens { $0.tier == .batch }) batch tokens,",
                "\(world.scheduler.load.prefilledTokens) prefill")
        }
        #expect(beside.gaps(isPriority).p99 <= 1.3 * alone.gaps(isPriority).p99)
        #expect(beside.firstTokens(isPriority).p99 <= 1.3 * alone.firstTokens(isPriority).p99)
    }
}
