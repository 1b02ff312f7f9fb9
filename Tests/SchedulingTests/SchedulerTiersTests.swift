import InferenceTypes
import Testing

@testable import Scheduling

/// How tiers and tenants share a worker. Virtual time, llama.cpp's profile.
@Suite struct SchedulerTiersTests {
    static let second: Int64 = 1_000_000_000
    static let properties = EngineProperties(
        contextTokens: 4096, cacheCells: 40_000, maxSequences: 32, batchTokens: 512,
        vocabularySize: 1000)

    /// Each source keeps so many requests waiting.
    private struct Source {
        var tier = ServiceTier.standard
        var tenant = ""
        var weight = 1.0
        var waiting: Int
        var prompt = 50...300
        var output = 20...120
        var from: Int64 = 0
    }

    private func flood(
        _ sources: [Source], seconds: Int64, slots: Int = 16, isOn: Bool = true,
        _ observe: (LoadWorld) -> Void = { _ in }
    ) throws -> LoadWorld {
        var configuration = SchedulerConfiguration()
        configuration.slots = slots
        configuration.tiers.isOn = isOn
        var world = try LoadWorld(
            configuration, properties: Self.properties, time: .affine(.llamaCPU), arrivals: [])
        var random = SeededGenerator(seed: 5)
        try world.run(until: seconds * Self.second) { world in
            for source in sources where world.now >= source.from {
                let waiting = world.seen.count {
                    $0.arrival.tenant == source.tenant && $0.arrival.tier == source.tier
                        && $0.first == nil
                }
                for _ in 0..<max(0, source.waiting - waiting) {
                    try world.submit(
                        LoadWorld.Arrival(
                            at: world.now, tier: source.tier, tenant: source.tenant,
                            weight: source.weight,
                            prompt: Int.random(in: source.prompt, using: &random),
                            output: Int.random(in: source.output, using: &random)))
                }
            }
            observe(world)
        }
        world.scheduler.checkInvariants()
        return world
    }

    /// Engine time charged to a tenant that was never lifted.
    private func used(
        _ world: LoadWorld, _ tenant: String, _ tier: ServiceTier = .standard
    ) -> Double {
        world.scheduler.tenants.tenants.reduce(0) { sum, record in
            guard record.name == tenant, record.tier == tier else { return sum }
            return sum + Double(record.virtualTime) * Double(record.weight) / 1e6
        }
    }

    // MARK: Tenants

    @Test func backloggedTenantsShareEngineTimeWhateverTheyOffer() throws {
        let world = try flood(
            [Source(tenant: "a", waiting: 40), Source(tenant: "b", waiting: 4)], seconds: 120)
        let (a, b) = (used(world, "a"), used(world, "b"))
        let share = a / (a + b)
        print("two tenants, 10 to 1 offered: \(share) of engine time")
        #expect(abs(share - 0.5) < 0.02)
        let busy = Double(world.scheduler.load.busyNanoseconds)
        // What was charged ahead for prefill under way is all that differs.
        #expect(abs(a + b - busy) < 0.02 * busy)
    }

    @Test func sharesFollowWeights() throws {
        let world = try flood(
            [
                Source(tenant: "a", weight: 3, waiting: 8),
                Source(tenant: "b", weight: 1, waiting: 8),
            ], seconds: 120)
        let share = used(world, "a") / (used(world, "a") + used(world, "b"))
        #expect(abs(share - 0.75) < 0.03, "\(share)")
    }

    @Test func eightTenantsGetEqualTokens() throws {
        let names = (0..<8).map { "t\($0)" }
        let world = try flood(
            names.enumerated().map { Source(tenant: $1, waiting: 2 + 3 * $0) }, seconds: 200)
        let tokens = names.map { name in Double(world.tokens { $0.tenant == name }) }
        let sum = tokens.reduce(0, +)
        let jain = sum * sum / (8 * tokens.reduce(0) { $0 + $1 * $1 })
        print("eight tenants: Jain index in tokens \(jain)")
        #expect(jain >= 0.95)
    }

    @Test func withTiersOffWhoOffersMoreGetsMore() throws {
        let world = try flood(
            [Source(tenant: "a", waiting: 40), Source(tenant: "b", waiting: 4)], seconds: 60,
            isOn: false)
        let (a, b) = (world.tokens { $0.tenant == "a" }, world.tokens { $0.tenant == "b" })
        #expect(a > 4 * b)
    }

    @Test func anIdleTenantGainsNoCredit() throws {
        let back = 60 * Self.second
        var before = 0
        let world = try flood(
            [
                Source(tenant: "a", waiting: 8),
                Source(tenant: "b", waiting: 8, from: back),
            ], seconds: 120
        ) { world in
            if world.now < back { before = world.tokens { $0.tenant == "a" } }
        }
        let a = Double(world.tokens { $0.tenant == "a" } - before)
        let b = Double(world.tokens { $0.tenant == "b" })
        #expect(abs(a / (a + b) - 0.5) < 0.05, "\(a) and \(b) tokens since both were there")
    }

    // MARK: Tiers

    @Test func eachTierGetsItsShareOfABackloggedWorker() throws {
        let world = try flood(
            [
                Source(tier: .priority, waiting: 20), Source(tier: .standard, waiting: 20),
                Source(tier: .batch, waiting: 20),
            ], seconds: 120)
        let times = ServiceTier.allCases.map { used(world, "", $0) }
        let sum = times.reduce(0, +)
        let shares = times.map { $0 / sum }
        print("tiers' shares of engine time: \(shares)")
        // Weights 8, 4 and 1.
        #expect(shares[0] > shares[1] && shares[1] > shares[2])
        #expect(shares[1] >= 0.1 && shares[2] >= 0.05)
        #expect(shares[0] > 0.4)
    }

    @Test func aLoneBatchRequestIsNotStarvedByAFlood() throws {
        let world = try flood(
            [
                Source(tier: .priority, waiting: 20),
                Source(tier: .batch, tenant: "one", waiting: 1, prompt: 400...400),
            ], seconds: 120, slots: 4)
        let waits = world.firstTokens { $0.tier == .batch }
        #expect(waits.count >= 2)
        #expect(world.seen.contains { $0.arrival.tier == .batch && $0.isDone })
    }

    @Test func decodesOfAWorseTierSkipStepsForABetterOne() throws {
        var configuration = SchedulerConfiguration()
        configuration.slots = 16
        configuration.itlTargetNanoseconds = 30_000_000
        var harness = try Harness(configuration, properties: Harness.properties(cells: 20_000))
        let others = try (0..<14).map {
            try harness.submit(prompt(UInt64($0), 900), maxTokens: 400)
        }
        for _ in 0..<300 where harness.scheduler.load.decoding < 14 { harness.step() }
        let calm = harness.durations.last!
        let first = try harness.submit(prompt(50, 20), maxTokens: 200, tier: .priority)
        harness.step()
        harness.step()
        let count = harness.durations.count
        let before = harness.output.mapValues(\.count)
        while harness.output[first]!.count < 200 { harness.step() }
        let worst = harness.durations[count...].max()!
        print("14 decodes: \(calm) ns a step alone, at most \(worst) ns beside priority")
        #expect(calm > 60_000_000)
        #expect(worst < 30_000_000)
        #expect(harness.scheduler.load.skippedDecodes > 100)
        let decoding = others.filter { before[$0]! > 0 && before[$0]! < 400 }
        #expect(decoding.count > 8)
        #expect(decoding.allSatisfy { harness.output[$0]!.count > before[$0]! }, "each goes on")
        harness.run()
        for key in others + [first] {
            #expect(harness.output[key]! == harness.undisturbed(key).tokens)
        }
    }

    /// Also where the target is longer than a tier can save for.
    @Test(arguments: [50, 5_000] as [Int64])
    func aLongBatchPromptGoesOnBesideAStreamThatLeavesItLittle(targetMilliseconds: Int64) throws {
        var configuration = SchedulerConfiguration()
        configuration.itlTargetNanoseconds = targetMilliseconds * 1_000_000
        var harness = try Harness(configuration, properties: Harness.properties(cells: 20_000))
        let better = try harness.submit(prompt(1, 20), maxTokens: 8_000, tier: .priority)
        for _ in 0..<20 { harness.step() }
        let batch = try harness.submit(prompt(2, 1_000), maxTokens: 5, tier: .batch)
        let start = (time: harness.now, steps: harness.durations.count)
        while harness.output[batch]!.isEmpty, harness.reasons[better] == nil { harness.step() }
        let seconds = Double(harness.now.nanoseconds(since: start.time)) / 1e9
        print("1,000 batch tokens beside one stream: \(seconds) s")
        // Alone it takes 3 s, a ninth of the time is its, and each chunk reads what precedes it.
        #expect(!harness.output[batch]!.isEmpty && seconds < 60)
        #expect(harness.durations[start.steps...].max()! < targetMilliseconds * 1_000_000)
    }

    @Test func aPausedSequenceKeepsItsCacheAndLosesNoToken() throws {
        var configuration = SchedulerConfiguration()
        configuration.slots = 2
        var harness = try Harness(configuration)
        let batch = try (0..<2).map {
            try harness.submit(prompt(UInt64($0), 100), maxTokens: 40, tier: .batch)
        }
        while harness.output[batch[1]]!.count < 10 { harness.step() }
        let better = try harness.submit(prompt(9, 10), maxTokens: 20, tier: .priority)
        harness.step()
        #expect(harness.preemptions == [batch[1]], "the newest of the lowest tier")
        while harness.reasons[better] == nil { harness.step() }
        let before = harness.scheduler.load.prefilledTokens
        harness.run()
        #expect(harness.scheduler.load.prefilledTokens - before == 1, "its cache was kept")
        #expect(harness.scheduler.load.yieldedSlots == 1)
        for key in batch { #expect(harness.output[key]! == harness.undisturbed(key).tokens) }
    }

    @Test func whenCellsAreShortTheNewestOfTheLowestTierWaits() throws {
        var configuration = SchedulerConfiguration()
        configuration.slots = 4
        configuration.outputReserveTokens = 1
        var harness = try Harness(
            configuration, properties: Harness.properties(context: 300, cells: 300))
        let tiers: [ServiceTier] = [.batch, .priority, .batch, .standard]
        let keys = try tiers.enumerated().map {
            try harness.submit(
                prompt(UInt64($0), 40), maxTokens: $1 == .batch ? 60 : 110, tier: $1)
        }
        harness.run()
        #expect(harness.preemptions.first == keys[2])
        #expect(!harness.preemptions.contains(keys[1]))
        for key in keys { #expect(harness.output[key]! == harness.undisturbed(key).tokens) }
    }

    // MARK: Deadlines and limits

    @Test func whatIsDueFirstGetsTheSlotFirst() throws {
        var configuration = SchedulerConfiguration()
        configuration.slots = 1
        var harness = try Harness(configuration)
        try harness.submit(prompt(0, 10), maxTokens: 20)
        harness.step()
        let relaxed = try harness.submit(prompt(1, 10))
        let late = try harness.submit(
            prompt(2, 10), deadline: harness.now.advanced(byNanoseconds: 8 * Self.second))
        let soon = try harness.submit(
            prompt(3, 10), deadline: harness.now.advanced(byNanoseconds: 4 * Self.second))
        let never = try harness.submit(
            prompt(4, 10), deadline: harness.now.advanced(byNanoseconds: 99 * Self.second))
        // Wanted at once, and too late: it goes first, and ends no sooner for it.
        let wanted = try harness.submit(prompt(5, 10), due: harness.now)
        harness.run()
        #expect(harness.output[wanted]! == harness.undisturbed(wanted).tokens)
        let order = [wanted, soon, late, relaxed, never].map { harness.firstTokenStep[$0]! }
        #expect(order == order.sorted())
    }

    @Test func aFullQueueOfAWorseTierShutsNobodyOut() throws {
        var configuration = SchedulerConfiguration()
        configuration.slots = 1
        configuration.waitingRequestsMax = 2
        var harness = try Harness(configuration)
        for _ in 0..<3 { try harness.submit([1, 2], tier: .batch) }
        #expect(throws: SubmitError.queueFull(limit: 2)) {
            try harness.submit([1, 2], tier: .batch)
        }
        for _ in 0..<3 { try harness.submit([1, 2], tier: .standard) }
        #expect(throws: SubmitError.queueFull(limit: 2)) { try harness.submit([1, 2]) }
        try harness.submit([1, 2], tier: .priority)
        harness.run()
        #expect(harness.reasons.count == 7)
    }

    @Test func countersOfYearsStillCompare() {
        var tenants = TenantShares()
        let places = [0.001, 0.001, 1].map { weight in
            tenants.enter("\(weight) \(tenants.tenants.count)", .standard, weight: weight)
        }
        for place in places { tenants.activate(place) }
        // Twelve days of engine time each time, a thousand times as much for its weight.
        for _ in 0..<1_000 {
            for place in places[..<2] { tenants.charge(place, TenantShares.chargeMax) }
            tenants.charge(places[2], TenantShares.chargeMax)
            tenants.charge(places[2], -1)
        }
        tenants.charge(places[1], 5)
        let times = places.map { tenants.virtualTime($0) }
        #expect(times[1] > times[0])
        #expect(times[0] > times[2])
        #expect(tenants.least(of: .standard) == times[2])
    }

    /// On a slow engine a prompt of a million tokens is predicted to take weeks.
    @Test func aPromptOfAMillionTokensCanBeCharged() throws {
        var configuration = SchedulerConfiguration()
        configuration.slots = 2
        var harness = try Harness(
            configuration,
            properties: EngineProperties(
                contextTokens: 1_048_576, cacheCells: 2_097_152, maxSequences: 4,
                batchTokens: 65_536, vocabularySize: 1_000))
        let prompt = Array(repeating: TokenID(5), count: 1_000_000)
        for _ in 0..<2 { try harness.submit(prompt, maxTokens: 2) }
        harness.run()
        #expect(harness.reasons.count == 2)
    }

    @Test func manyTenantsAreForgottenAgain() {
        var tenants = TenantShares()
        for number in 0..<(2 * TenantShares.tenantsMax) {
            let place = tenants.enter("\(number)", .standard, weight: 1)
            tenants.activate(place)
            tenants.charge(place, 1_000)
            tenants.deactivate(place)
            tenants.leave(place)
        }
        #expect(tenants.tenants.count == TenantShares.tenantsMax)
        #expect(tenants.tenants.allSatisfy { $0.alive == 0 && $0.active == 0 })
    }
}
