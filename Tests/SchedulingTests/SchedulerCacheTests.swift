import InferenceTypes
import Testing

@testable import Scheduling

/// Prefix reuse and shortage of cells.
@Suite struct SchedulerCacheTests {
    @Test func aConversationGoesOnInPlace() throws {
        var harness = try Harness()
        let first = try harness.submit(prompt(1, 100), maxTokens: 20)
        harness.run()
        let turn = prompt(1, 100) + harness.output[first]! + prompt(2, 30)
        let second = try harness.submit(turn, maxTokens: 5)
        harness.step()
        let plan = harness.steps.last!
        #expect(plan.cacheOperations == [])
        // The last sampled token was never computed.
        #expect(plan.entries[0].position == 119)
        #expect(plan.tokens.count == turn.count - 119)
        harness.run()
        #expect(harness.usages[second]?.cachedTokens == 119)
    }

    @Test func theBestPrefixIsSharedNotTheFirst() throws {
        var harness = try Harness()
        let system = prompt(1, 64)
        let first = try harness.submit(system + prompt(2, 20), maxTokens: 30)
        harness.step()
        let second = try harness.submit(system + prompt(3, 200), maxTokens: 30)
        while harness.output[second]!.isEmpty { harness.step() }
        // Both run; the third shares 164 tokens with the second.
        let third = try harness.submit(system + prompt(3, 100) + prompt(4, 10), maxTokens: 3)
        harness.step()
        let copies = harness.steps.last!.cacheOperations
        let donor = harness.steps.last!.entries.first { $0.key == second }!.sequence
        let to = harness.steps.last!.entries.first { $0.key == third }!.sequence
        #expect(copies == [.copy(from: donor, to: to, length: 164)])
        harness.run()
        #expect(harness.usages[third]?.cachedTokens == 164)
        #expect(harness.reasons[first] == .maxTokens)
    }

    @Test func equalPromptsArePrefilledOnce() throws {
        var harness = try Harness()
        let keys = try (0..<8).map { index in
            try harness.submit(prompt(1, 300), maxTokens: 10) { $0.seed = UInt64(index) }
        }
        harness.run()
        let load = harness.scheduler.load
        #expect(load.prefilledTokens == 300 + 7)
        #expect(keys.allSatisfy { harness.output[$0] == harness.undisturbed($0).tokens })
        #expect(Set(keys.map { harness.output[$0]! }).count == 8, "seeds differ")
        #expect(keys.dropFirst().allSatisfy { harness.usages[$0]?.cachedTokens == 299 })
    }

    @Test func aFollowerGoesOnWhenItsLeaderIsCancelled() throws {
        var harness = try Harness()
        let leader = try harness.submit(prompt(1, 2000))
        let follower = try harness.submit(prompt(1, 2000))
        harness.step()
        harness.scheduler.cancel(leader, now: harness.now)
        harness.run()
        #expect(harness.reasons[follower] == .maxTokens)
        #expect(harness.scheduler.load.prefilledTokens == 2000)
    }

    @Test func reuseCanBeSwitchedOff() throws {
        for partial in [true, false] {
            var configuration = SchedulerConfiguration()
            configuration.prefixReuse = !partial
            var properties = Harness.properties()
            properties.supportsPartialRemoval = partial
            var harness = try Harness(configuration, properties: properties)
            for _ in 0..<3 { try harness.submit(prompt(1, 100)) }
            harness.run()
            #expect(harness.scheduler.load.prefilledTokens == 300)
            #expect(harness.scheduler.load.usedCells == 0)
        }
    }

    @Test func idlePrefixesGoBeforeAnybodyWaits() throws {
        var harness = try Harness(properties: Harness.properties(context: 200, cells: 300))
        for seed in 0..<4 {
            try harness.submit(prompt(UInt64(seed), 150), maxTokens: 40)
            harness.run()
        }
        #expect(harness.preemptions.isEmpty)
        #expect(harness.scheduler.load.evictions > 0)
        // The most recent prefix is whole.
        try harness.submit(prompt(3, 150), maxTokens: 1)
        harness.step()
        #expect(harness.steps.last!.tokens.count == 1)
    }

    @Test func theNewestWaitsWhenCellsRunOutAndLosesNothing() throws {
        var configuration = SchedulerConfiguration()
        configuration.outputReserveTokens = 4
        var harness = try Harness(
            configuration, properties: Harness.properties(context: 100, cells: 120))
        let keys = try (0..<4).map { try harness.submit(prompt(UInt64($0), 20), maxTokens: 60) }
        harness.run()
        #expect(!harness.preemptions.isEmpty)
        #expect(!harness.preemptions.contains(keys[0]), "the oldest goes on")
        #expect(
            zip(harness.preemptions, harness.preemptions.dropFirst()).allSatisfy { $0 != $1 },
            "nobody waits twice in a row")
        for key in keys {
            #expect(harness.output[key] == harness.undisturbed(key).tokens)
            #expect(harness.reasons[key] == .maxTokens)
        }
    }

    @Test func refusedStepsAreRetriedSmallerAndNobodyFails() throws {
        var harness = try Harness()
        let keys = try (0..<4).map { try harness.submit(prompt(UInt64($0), 100), maxTokens: 10) }
        harness.step(failing: .noCacheSpace)
        let refused = harness.steps.last!.tokens.count
        harness.step(failing: .noCacheSpace)
        #expect(harness.steps.last!.tokens.count <= refused / 2)
        for _ in 0..<4 { harness.step(failing: .noCacheSpace) }
        harness.run()
        for key in keys { #expect(harness.output[key] == harness.undisturbed(key).tokens) }
        #expect(harness.scheduler.load.cacheSpaceFailures == 6)
    }

    @Test func aLoneRequestThatNeverFitsIsOver() throws {
        var harness = try Harness()
        let key = try harness.submit(prompt(1, 10), maxTokens: 10)
        for _ in 0..<20 where harness.reasons[key] == nil {
            harness.step(failing: .noCacheSpace)
        }
        #expect(harness.reasons[key] == .contextFull)
        harness.scheduler.checkInvariants()
    }
}
