import InferenceTypes
import Testing

@testable import Scheduling

/// Random histories against the simulated engine, which refuses plans that a real one would compute
/// wrongly.
@Suite struct SchedulerPropertyTests {
    static let operationsPerSeed = 1200

    @Test(arguments: Seeds.some(48))
    func everyRequestEndsOnceWithItsUndisturbedOutput(seed: UInt64) throws {
        print("scheduler property seed: SEED=\(seed)")
        var history = try History(seed: seed)
        for _ in 0..<Self.operationsPerSeed { try history.act() }
        history.finish()
    }

    /// Random histories prove nothing about paths that they do not take.
    @Test func historiesTakeEveryPath() throws {
        var sum = SchedulerLoad()
        var (copies, cuts, clears, refused) = (0, 0, 0, 0)
        for seed in 1...12 {
            var history = try History(seed: UInt64(seed))
            for _ in 0..<500 { try history.act() }
            history.finish()
            let load = history.harness.scheduler.load
            sum.preemptions += load.preemptions
            sum.yieldedSlots += load.yieldedSlots
            sum.skippedDecodes += load.skippedDecodes
            sum.evictions += load.evictions
            sum.prefixHitTokens += load.prefixHitTokens
            sum.cacheSpaceFailures += load.cacheSpaceFailures
            sum.generatedTokens += load.generatedTokens
            copies += history.harness.copies
            cuts += history.harness.cuts
            clears += history.harness.clears
            refused += history.refused
        }
        print("\(sum.yieldedSlots) slots yielded, \(sum.skippedDecodes) decodes skipped")
        #expect(sum.yieldedSlots > 20 && sum.skippedDecodes > 100)
        print(
            "\(sum.preemptions) preemptions, \(sum.evictions) evictions, \(copies) copies,",
            "\(cuts) cuts, \(clears) clears, \(refused) refusals, \(sum.generatedTokens) tokens")
        #expect(sum.preemptions > 50 && sum.evictions > 100 && sum.prefixHitTokens > 1000)
        #expect(sum.cacheSpaceFailures > 20 && copies > 100 && cuts > 50 && clears > 100)
        #expect(refused > 20 && sum.generatedTokens > 4000)
    }

    @Test(arguments: Seeds.some(4))
    func sameSeedGivesTheSameDigest(seed: UInt64) throws {
        let digests = try (0..<2).map { _ in
            var history = try History(seed: seed)
            for _ in 0..<400 { try history.act() }
            history.finish()
            return history.harness.digest
        }
        #expect(digests[0] == digests[1])
        #expect(digests[0] != 0)
    }

    /// The rules for several tiers and tenants change nothing where there is one of each.
    @Test(arguments: Seeds.some(12), [ServiceTier.priority, .standard])
    func oneTierAndOneTenantAreScheduledAsWithoutTiers(
        seed: UInt64, tier: ServiceTier
    ) throws {
        let digests = try [true, false].map { isOn in
            var history = try History(seed: seed, onlyTier: tier) { $0.tiers.isOn = isOn }
            for _ in 0..<400 { try history.act() }
            history.finish()
            return history.harness.digest
        }
        #expect(digests[0] == digests[1])
    }
}

/// A random configuration and a random sequence of what may happen to a scheduler.
struct History {
    var harness: Harness
    var random: SeededGenerator
    var alive: [SequenceKey] = []
    var cancelled: Set<SequenceKey> = []
    var paused: Set<SequenceKey> = []
    var refused = 0
    let sharing: [[TokenID]]
    /// Not nil: all requests are of this tier.
    let onlyTier: ServiceTier?

    init(
        seed: UInt64, onlyTier: ServiceTier? = nil,
        _ change: (inout SchedulerConfiguration) -> Void = { _ in }
    ) throws {
        self.onlyTier = onlyTier
        var random = SeededGenerator(seed: seed)
        var configuration = SchedulerConfiguration()
        change(&configuration)
        configuration.slots = Int.random(in: 1...8, using: &random)
        configuration.waitingRequestsMax = Int.random(in: 0...20, using: &random)
        configuration.prefillTokensMin = Int.random(in: 1...8, using: &random)
        configuration.longPrefillTokens = Int.random(in: 4...40, using: &random)
        configuration.longPrefillsMax = Int.random(in: 1...2, using: &random)
        configuration.outputReserveTokens = Int.random(in: 1...16, using: &random)
        configuration.prefixTokensMin = Int.random(in: 1...4, using: &random)
        configuration.sharedPrefillTokensMin = Int.random(in: 1...12, using: &random)
        configuration.prefixReuse = Int.random(in: 0..<8, using: &random) > 0
        configuration.itlTargetNanoseconds = Int64.random(
            in: 1_000_000...100_000_000, using: &random)
        let batch = Int.random(in: configuration.slots + 4...64, using: &random)
        configuration.prefillTailTokensMin = Int.random(
            in: 1...(batch - configuration.slots + 1), using: &random)
        if Int.random(in: 0..<4, using: &random) == 0 {
            configuration.idlePairsMax = Int.random(in: 1...200, using: &random)
        }
        if Int.random(in: 0..<4, using: &random) == 0 {
            configuration.prefillChunkTokens = Int.random(
                in: 1...(batch - configuration.slots + 2 - configuration.prefillTailTokensMin),
                using: &random)
        }
        let cells = Int.random(in: 24...300, using: &random)
        var properties = Harness.properties(
            context: Int.random(in: 16...cells + 20, using: &random), cells: cells,
            sequences: configuration.slots + Int.random(in: 0...8, using: &random), batch: batch)
        properties.supportsPartialRemoval = Int.random(in: 0..<8, using: &random) > 0
        let lengths: [SimulatedGeneration.OutputLength] = [
            .untilMaxTokens, .fixed(5), .uniform(0...30), .geometric(mean: 12),
        ]
        harness = try Harness(
            configuration, properties: properties,
            generation: .init(
                seed: seed, tokens: 10..<1000, endOfGenerationToken: 2,
                outputLength: lengths.randomElement(using: &random)!))
        harness.keepsSteps = false
        sharing = (0..<3).map { prompt(UInt64($0), cells + 20, below: 3) }
        self.random = random
    }

    mutating func act() throws {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<22: submit()
        case 22..<26: cancel()
        case 26..<31: pause()
        case 31..<37: resume()
        case 37..<39: harness.step(failing: .noCacheSpace)
        case 39..<50:
            // Messages that arrive while the engine works.
            let choice = Int.random(in: 0..<4, using: &random)
            var copy = self
            copy.harness.step { harness in
                self.harness = harness
                switch choice {
                case 0: self.cancel()
                case 1: self.pause()
                case 2: self.resume()
                default: self.submit()
                }
                harness = self.harness
            }
            harness = copy.harness
        default: harness.step()
        }
        settle()
        harness.scheduler.checkInvariants()
    }

    mutating func submit() {
        var tokens: [TokenID] = []
        let limit = harness.engine.properties.requestTokensMax
        if Int.random(in: 0..<3, using: &random) == 0,
            let earlier = harness.output.keys.sorted().suffix(20).randomElement(using: &random)
        {
            // A conversation goes on.
            tokens = harness.requests[earlier]!.prompt + harness.output[earlier]!
        } else {
            let count = Int.random(in: 0...limit, using: &random)
            tokens = Array(sharing.randomElement(using: &random)!.prefix(count))
        }
        tokens += prompt(random.next(), Int.random(in: 0...6, using: &random), below: 3)
        var resumed = 0
        if Int.random(in: 0..<6, using: &random) == 0 {
            resumed = Int.random(in: 0...3, using: &random)
        }
        let most = Int.random(in: 0..<5, using: &random)
        let length = Int.random(in: 1...30, using: &random)
        let seed = random.next()
        let least = Int.random(in: 0...4, using: &random)
        let tier = ServiceTier.allCases.randomElement(using: &random)!
        let tenant = onlyTier == nil ? "\(seed % 4)" : ""
        do throws(SubmitError) {
            alive.append(
                try harness.submit(
                    tokens, maxTokens: most == 0 ? nil : length,
                    tier: onlyTier ?? tier, tenant: tenant,
                    weight: Double((seed >> 8) % 7) / 4, resumed: resumed
                ) {
                    $0.seed = seed
                    $0.minTokens = least
                    $0.ignoreEndOfSequence = least == 4
                    if least == 1 { $0.stopTokens = Array(10..<60) }
                })
        } catch {
            refused += 1
            switch error {
            case .promptTooLong(let most): #expect(most == limit && tokens.count >= limit)
            case .emptyPrompt: #expect(tokens.isEmpty)
            case .invalidResume: #expect(resumed >= tokens.count)
            case .nothingToGenerate: #expect(resumed >= length)
            case .queueFull(let most):
                let load = harness.scheduler.load
                #expect(load.waiting + load.parked >= most)
            case .duplicateKey: Issue.record("\(error)")
            }
        }
    }

    mutating func cancel() {
        guard let key = alive.randomElement(using: &random) else { return }
        let account = harness.scheduler.cancel(key, now: harness.now)
        #expect(account?.usage.completionTokens == harness.output[key]!.count)
        #expect(harness.scheduler.cancel(key, now: harness.now) == nil)
        cancelled.insert(key)
        alive.removeAll { $0 == key }
    }

    mutating func pause() {
        guard let key = alive.randomElement(using: &random) else { return }
        harness.scheduler.pause(key)
        paused.insert(key)
    }

    mutating func resume() {
        guard let key = paused.sorted().randomElement(using: &random) else { return }
        harness.scheduler.resume(key)
        paused.remove(key)
    }

    mutating func settle() {
        let ended = alive.filter { harness.reasons[$0] != nil }
        alive.removeAll { harness.reasons[$0] != nil }
        for key in ended {
            paused.remove(key)
            let expected = harness.undisturbed(key)
            #expect(harness.output[key] == expected.tokens)
            #expect(harness.reasons[key] == expected.reason)
            let usage = harness.usages[key]!
            #expect(usage.completionTokens == expected.tokens.count)
            #expect(usage.cachedTokens <= usage.promptTokens)
        }
        for key in cancelled { #expect(harness.reasons[key] == nil) }
    }

    mutating func finish() {
        for key in paused.sorted() { harness.scheduler.resume(key) }
        harness.run(steps: 20_000)
        settle()
        harness.scheduler.checkInvariants()
        #expect(alive.isEmpty)
        #expect(harness.failures.isEmpty)
        #expect(harness.scheduler.aliveRequests == 0)
        let load = harness.scheduler.load
        #expect(load.running == 0 && load.waiting == 0 && load.queuedPrefillTokens == 0)
        #expect(load.usedCells == load.idleCells)
        #expect(
            load.submittedRequests
                == load.finishedRequests + load.cancelledRequests + load.failedRequests)
    }
}
