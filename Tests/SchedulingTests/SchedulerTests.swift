import InferenceTypes
import Testing

@testable import Scheduling

/// What each rule of the scheduler does to requests, one at a time.
@Suite struct SchedulerTests {
    static let millisecond: Int64 = 1_000_000

    // MARK: Time between tokens

    @Test func aLongPromptDoesNotStallRunningStreams() throws {
        var harness = try Harness(properties: Harness.properties(cells: 8192))
        let running = try (0..<8).map { try harness.submit(prompt(UInt64($0), 10), maxTokens: 600) }
        for _ in 0..<100 { harness.step() }
        let calm = harness.durations.suffix(50).sorted()[25]
        let long = try harness.submit(prompt(99, 2000), maxTokens: 2)
        var slowest: Int64 = 0
        var steps = 0
        while harness.firstTokenStep[long] == nil {
            let before = running.map { harness.output[$0]!.count }
            harness.step()
            let after = running.map { harness.output[$0]!.count }
            #expect(zip(before, after).allSatisfy { $0 + 1 == $1 }, "each stream got its token")
            #expect(harness.steps.last!.tokens.count <= harness.steps.last!.budgetTokens)
            #expect(harness.steps.last!.shape.prefillTokens >= 4 || harness.output[long] != [])
            slowest = max(slowest, harness.durations.last!)
            steps += 1
            try #require(steps < 400)
        }
        // The target is 1.5 decode-only steps at 16 slots here, about 60 ms.
        #expect(slowest < 4 * calm, "\(slowest) ns against \(calm) ns")
        #expect(slowest < 65 * Self.millisecond)
    }

    @Test func prefillAloneUsesTheWholeBatch() throws {
        var harness = try Harness()
        try harness.submit(prompt(1, 1500))
        harness.step()
        #expect(harness.steps[0].tokens.count == 512)
    }

    @Test func anArrivalGetsItsFirstTokenBeforeTheRunningOnesFinish() throws {
        var harness = try Harness()
        let running = try (0..<8).map { try harness.submit(prompt(UInt64($0), 50), maxTokens: 100) }
        for _ in 0..<30 { harness.step() }
        let late = try harness.submit(prompt(77, 60), maxTokens: 5)
        for _ in 0..<3 { harness.step() }
        #expect(harness.output[late]!.count >= 1)
        #expect(running.allSatisfy { harness.reasons[$0] == nil })
        harness.run()
        #expect(running.allSatisfy { harness.output[$0]!.count == 100 })
    }

    @Test func shortPromptsPassLongOnesButDoNotStarveThem() throws {
        var configuration = SchedulerConfiguration()
        configuration.slots = 6
        var harness = try Harness(configuration)
        try harness.submit(prompt(1, 10), maxTokens: 4000)
        harness.step()
        let start = harness.now
        let long = try harness.submit(prompt(2, 1000), maxTokens: 2)
        var seed: UInt64 = 10
        var shortFirst = 0
        // Shorts keep the prefill budget busy all the time.
        while harness.output[long]!.isEmpty {
            while harness.scheduler.load.running + harness.scheduler.load.waiting < 6 {
                try harness.submit(prompt(seed, 100), maxTokens: 1)
                seed += 1
            }
            harness.step()
            shortFirst = harness.reasons.count
            try #require(harness.steps.count < 2000)
        }
        #expect(shortFirst > 2)
        let waited = harness.now.nanoseconds(since: start)
        // 1000 tokens of ageing at 2 per ms is half a second of being overtaken.
        #expect(waited < 5000 * Self.millisecond, "\(waited)")
    }

    @Test func onlyTwoLongPromptsAdvanceAtOnce() throws {
        var configuration = SchedulerConfiguration()
        configuration.longPrefillTokens = 50
        var harness = try Harness(configuration)
        for seed in 0..<5 { try harness.submit(prompt(UInt64(seed), 120), maxTokens: 1) }
        while harness.step() {
            let long = harness.steps.last!.entries.count { entry in
                120 - entry.position > 50
            }
            #expect(long <= 2)
        }
    }

    @Test func fixedChunksHavePromisedBoundaries() throws {
        var configuration = SchedulerConfiguration()
        configuration.prefillChunkTokens = 64
        configuration.prefixReuse = false
        var harness = try Harness(configuration)
        let keys = try (0..<8).map { try harness.submit(prompt(UInt64($0), 150), maxTokens: 20) }
        harness.run()
        // 22 tokens would be left: they join the chunk before.
        for key in keys { #expect(harness.chunks[key] == [0..<64, 64..<150]) }
    }

    @Test(arguments: [
        (64, 63, [0..<63]), (64, 64, [0..<64]), (64, 127, [0..<127]),
        (64, 128, [0..<64, 64..<128]),
        (128, 150, [0..<86, 86..<150]), (128, 192, [0..<128, 128..<192]),
        (32, 70, [0..<70]), (32, 100, [0..<32, 32..<100]),
    ])
    func noFixedChunkLeavesAShortTail(
        size: Int, prompt length: Int, chunks: [Range<Int>]
    ) throws {
        var configuration = SchedulerConfiguration()
        configuration.prefillChunkTokens = size
        var harness = try Harness(configuration)
        let key = try harness.submit(prompt(1, length))
        harness.run()
        #expect(harness.chunks[key] == chunks)
    }

    @Test func aPromptAloneHasNoShortTailEither() throws {
        var harness = try Harness()
        let key = try harness.submit(prompt(1, 530))
        harness.run()
        #expect(harness.chunks[key] == [0..<466, 466..<530])
    }

    // MARK: Idle prefixes

    @Test func idlePrefixesDoNotSlowManyStreams() throws {
        var configuration = SchedulerConfiguration()
        configuration.idlePairsMax = 800
        var harness = try Harness(configuration)
        for seed in 0..<6 { try harness.submit(prompt(UInt64(seed), 200), maxTokens: 1) }
        harness.run()
        // Nobody decodes: all of them stay for whoever comes back.
        #expect(harness.scheduler.cache.idleCells >= 6 * 200)
        try harness.submit(prompt(7, 100), maxTokens: 60)
        while harness.step(), harness.scheduler.cache.activeCells < 110 {}
        #expect(harness.scheduler.cache.idleCells <= 800)
        #expect(harness.scheduler.cache.idleCells > 800 - 64 - 200)
        for seed in 8..<11 { try harness.submit(prompt(UInt64(seed), 100), maxTokens: 60) }
        var least = Int.max
        while harness.step() { least = min(least, harness.scheduler.cache.idleCells) }
        #expect(least <= 200, "four streams leave a quarter")
        harness.scheduler.checkInvariants()
    }

    // MARK: Ending

    @Test func cancelFreesItsSlotWithinOneStep() throws {
        var configuration = SchedulerConfiguration()
        configuration.slots = 1
        var harness = try Harness(configuration)
        // While decoding.
        let first = try harness.submit(prompt(1, 10), maxTokens: 1000)
        let second = try harness.submit(prompt(2, 2000), maxTokens: 10)
        let third = try harness.submit(prompt(3, 10), maxTokens: 10)
        for _ in 0..<5 { harness.step() }
        #expect(harness.scheduler.cancel(first, now: harness.now)?.reason == .cancelled)
        harness.step()
        #expect(harness.steps.last!.entries.map(\.key) == [second])
        // In the middle of a prefill, while a step is in flight.
        harness.step { $0.scheduler.cancel(second, now: $0.now) }
        #expect(harness.output[second] == [])
        harness.step()
        #expect(harness.steps.last!.entries.map(\.key) == [third])
        harness.run()
        #expect(harness.scheduler.aliveRequests == 0)
        harness.scheduler.checkInvariants()
    }

    @Test func aDeadlineEndsRunningAndWaitingRequests() throws {
        var configuration = SchedulerConfiguration()
        configuration.slots = 1
        var harness = try Harness(configuration)
        let deadline = harness.now.advanced(byNanoseconds: 300 * Self.millisecond)
        let running = try harness.submit(prompt(1, 4), maxTokens: 1000, deadline: deadline)
        let waiting = try harness.submit(prompt(2, 4), maxTokens: 1000, deadline: deadline)
        harness.run()
        #expect(harness.reasons[running] == .timeLimit)
        #expect(harness.reasons[waiting] == .timeLimit)
        #expect(harness.output[running]!.count > 10)
        #expect(harness.output[waiting] == [])
    }

    @Test func contextFullEndsARequestAndNoPromptFillsItWhole() throws {
        var harness = try Harness(properties: Harness.properties(context: 40, cells: 100))
        let key = try harness.submit(prompt(1, 30), maxTokens: nil)
        harness.run()
        #expect(harness.reasons[key] == .contextFull)
        #expect(harness.output[key]!.count == 10)
        #expect(throws: SubmitError.promptTooLong(limit: 40)) {
            try harness.submit(prompt(1, 40))
        }
    }

    @Test func endAndStopTokensEndButNotBeforeTheLeastLength() throws {
        var harness = try Harness(
            generation: .init(
                tokens: 10..<1000, endOfGenerationToken: 2, outputLength: .fixed(3)))
        let plain = try harness.submit(prompt(1, 5), maxTokens: 20)
        let least = try harness.submit(prompt(2, 5), maxTokens: 20) { $0.minTokens = 6 }
        let ignoring = try harness.submit(prompt(3, 5), maxTokens: 20) {
            $0.ignoreEndOfSequence = true
        }
        let stopping = try harness.submit(prompt(4, 5), maxTokens: 20) {
            $0.stopTokens = Array(10..<1000)
        }
        harness.run()
        #expect(harness.reasons[plain] == .endOfSequence)
        #expect(harness.usages[plain]?.completionTokens == 4)
        #expect(harness.reasons[least] == .endOfSequence)
        #expect(harness.output[least]!.count == 7)
        #expect(harness.reasons[ignoring] == .maxTokens)
        #expect(harness.reasons[stopping] == .stopToken(harness.output[stopping]![0]))
    }

    @Test func aResumedRequestGoesOnWhereItWas() throws {
        var harness = try Harness()
        let whole = try harness.submit(prompt(1, 20), maxTokens: 12) { $0.seed = 7 }
        harness.run()
        let tokens = harness.output[whole]!
        let rest = try harness.submit(
            prompt(1, 20) + tokens.prefix(5), maxTokens: 12, resumed: 5
        ) { $0.seed = 7 }
        harness.run()
        #expect(harness.output[rest] == Array(tokens.dropFirst(5)))
        #expect(harness.usages[rest]?.promptTokens == 20)
        #expect(harness.usages[rest]?.completionTokens == 7)
    }

    @Test func aBrokenEngineFailsWhoRunsAndNobodyElse() throws {
        var configuration = SchedulerConfiguration()
        configuration.slots = 2
        var harness = try Harness(configuration)
        let keys = try (0..<3).map { try harness.submit(prompt(UInt64($0), 10)) }
        harness.step()
        harness.step(failing: .failed(code: -3, message: "aborted"))
        #expect(harness.failures[keys[0]] == .engine(code: -3, message: "aborted"))
        #expect(harness.failures[keys[1]] != nil)
        harness.run()
        #expect(harness.reasons[keys[2]] == .maxTokens)
        harness.scheduler.checkInvariants()
    }

    @Test func aSamplerThatCannotGoOnFailsItsRequestOnly() throws {
        var harness = try Harness()
        let bad = try harness.submit(prompt(1, 4))
        let good = try harness.submit(prompt(2, 4))
        let scheduled = harness.scheduler.schedule(now: harness.now)
        let plan = try #require(scheduled)
        var result = try harness.engine.execute(plan)
        result.samplerFailures = [SamplerFailure(slot: 0, message: "no token fits the grammar")]
        let events = harness.scheduler.complete(plan, result, now: harness.now)
        let failure = RequestFailure.sampler(message: "no token fits the grammar")
        #expect(events.contains(.failed(key: bad, failure)))
        #expect(!events.contains { if case .token(let it) = $0 { it.key == bad } else { false } })
        #expect(events.contains { if case .token(let it) = $0 { it.key == good } else { false } })
    }

    // MARK: Waiting

    @Test func refusesBeyondTheQueueLimit() throws {
        var configuration = SchedulerConfiguration()
        configuration.slots = 1
        configuration.waitingRequestsMax = 2
        var harness = try Harness(configuration)
        for _ in 0..<3 { try harness.submit([1, 2]) }
        #expect(throws: SubmitError.queueFull(limit: 2)) { try harness.submit([1, 2]) }
        #expect(throws: SubmitError.emptyPrompt) { try harness.submit([]) }
        #expect(throws: SubmitError.duplicateKey) {
            try harness.scheduler.submit(
                GenerationRequest(id: "1", prompt: [1], sampling: .init()), key: SequenceKey(1),
                now: harness.now)
        }
    }

    @Test func betterTiersPassUntilBatchIsAQuantumBehindItsShare() throws {
        var configuration = SchedulerConfiguration()
        configuration.slots = 1
        configuration.tiers.quantumNanoseconds = 100 * Self.millisecond
        var harness = try Harness(configuration)
        let start = harness.now
        let batch = try harness.submit(prompt(1, 10), maxTokens: 2, tier: .batch)
        var seed: UInt64 = 2
        while harness.output[batch]!.isEmpty {
            while harness.scheduler.load.waiting < 3 {
                try harness.submit(prompt(seed, 10), maxTokens: 2, tier: .priority)
                seed += 1
            }
            harness.step()
            try #require(harness.steps.count < 1000)
        }
        let waited = harness.now.nanoseconds(since: start)
        // A ninth of the time is its: weights 8 and 1.
        #expect(waited >= 800 * Self.millisecond, "\(waited)")
        #expect(waited < 1100 * Self.millisecond, "\(waited)")
    }

    @Test func aSlowReaderGetsNothingUntilItCatchesUp() throws {
        var configuration = SchedulerConfiguration()
        configuration.slots = 1
        var harness = try Harness(configuration)
        let slow = try harness.submit(prompt(1, 10), maxTokens: 30)
        for _ in 0..<5 { harness.step() }
        harness.scheduler.pause(slow)
        let count = harness.output[slow]!.count
        let didWork = harness.step()
        #expect(!didWork)
        // Another request gets the slot meanwhile, and the cells are kept.
        let other = try harness.submit(prompt(2, 10), maxTokens: 10)
        harness.run()
        #expect(harness.reasons[other] == .maxTokens)
        #expect(harness.output[slow]!.count == count)
        #expect(harness.scheduler.load.parked == 1)
        let before = harness.scheduler.load.prefilledTokens
        harness.scheduler.resume(slow)
        harness.run()
        #expect(harness.output[slow]! == harness.undisturbed(slow).tokens)
        #expect(harness.scheduler.load.prefilledTokens - before == 1, "the last known token")
    }
}
