import InferenceTypes
import Testing

@testable import Scheduling

/// A flood of long batch prompts beside a priority tenant: Llama 70B in FP8 on two H100s, in
/// virtual time.
@Suite struct TierFloodTests {
    static let seconds: Int64 = 1_000_000_000
    static let time = StepTimeModel.gpu(.llama70BOnH100)

    enum Flood { case none, tiers, noTiers }

    /// What the scheduler assumes of steps at first: those of another machine, and those of its own.
    static let priors = [AffineStepProfile.llamaCPU, GPUStepModel.llama70BOnH100.affineProfile]

    static func world(_ flood: Flood, _ prior: AffineStepProfile) throws -> LoadWorld {
        var configuration = SchedulerConfiguration()
        configuration.slots = 64
        configuration.waitingRequestsMax = 256
        configuration.tiers.isOn = flood != .noTiers
        configuration.stepProfile = prior
        let properties = EngineProperties(
            contextTokens: 32_768, cacheCells: 400_000, maxSequences: 128, batchTokens: 2_048,
            vocabularySize: 1000)
        let end = 120 * seconds
        let arrivals = poisson(7, perSecond: 2, until: end) { at, random in
            LoadWorld.Arrival(
                at: at, tier: .priority, tenant: "chat",
                prompt: Int.random(in: 300...2_500, using: &random),
                output: Int.random(in: 60...240, using: &random))
        }
        var world = try LoadWorld(
            configuration, properties: properties, time: time, arrivals: arrivals)
        var random = SeededGenerator(seed: 3)
        try world.run(until: end) { world in
            guard flood != .none else { return }
            while world.scheduler.load.waiting < 64 {
                try world.submit(
                    LoadWorld.Arrival(
                        at: world.now, tier: .batch, tenant: "bulk",
                        prompt: Int.random(in: 4_000...12_000, using: &random),
                        output: Int.random(in: 100...300, using: &random)))
            }
        }
        return world
    }

    @Test(arguments: priors)
    func aBatchFloodHardlySlowsAPriorityTenant(_ prior: AffineStepProfile) throws {
        func isPriority(_ arrival: LoadWorld.Arrival) -> Bool { arrival.tier == .priority }
        let worlds = try [Flood.none, .tiers, .noTiers].map { ($0, try Self.world($0, prior)) }
        for (flood, world) in worlds {
            let (first, gaps) = (world.firstTokens(isPriority), world.gaps(isPriority))
            print(
                "H100 flood \(flood): TTFT p50 \(first.p50) p99 \(first.p99) ms,",
                "ITL p50 \(gaps.p50) p99 \(gaps.p99) ms, \(world.tokens(isPriority)) priority and",
                "\(world.tokens { $0.tier == .batch }) batch tokens,",
                "\(world.scheduler.load.yieldedSlots) slots yielded,",
                "\(world.scheduler.load.skippedDecodes) decodes skipped,",
                "\(world.scheduler.load.prefilledTokens) prefill")
        }
        let (calm, tiers, noTiers) = (worlds[0].1, worlds[1].1, worlds[2].1)
        #expect(tiers.gaps(isPriority).p99 <= 1.3 * calm.gaps(isPriority).p99)
        #expect(tiers.firstTokens(isPriority).p99 <= 1.3 * calm.firstTokens(isPriority).p99)
        #expect(noTiers.firstTokens(isPriority).p99 > 2 * calm.firstTokens(isPriority).p99)
        #expect(tiers.tokens { $0.tier == .batch } > 1_000, "batch goes on meanwhile")
    }
}
