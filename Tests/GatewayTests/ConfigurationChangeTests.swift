import InferenceAPI
import Testing

@testable import Gateway

struct ConfigurationChangeTests {
    private func configuration() -> GatewayConfiguration {
        var model = ModelSettings(name: "v1", path: "/v1.gguf")
        model.aliases = ["old"]
        var pool = PoolSettings(name: "default", model: "v1")
        pool.supervised = SupervisedWorkers(
            commandLine: WorkerCommandLine(
                executable: "/x", arguments: ["--slots", "4"], socketDirectory: "/s"), count: 2)
        return GatewayConfiguration(models: [model], pools: [pool])
    }

    @Test func aUsableConfigurationHasNoProblems() {
        #expect(configuration().problems.isEmpty)
    }

    @Test func problemsAreNamed() {
        var next = configuration()
        next.models.append(ModelSettings(name: "old", path: nil))
        next.splits = [
            ModelSplit(name: "s", shares: [.init(model: "v9", weight: 0)]),
            ModelSplit(name: "s", shares: []),
        ]
        next.pools.append(PoolSettings(name: "default", model: "v1"))
        next.pools.append(PoolSettings(name: "p", model: "nothing"))
        #expect(
            Set(next.problems) == [
                .nameTwice("old"), .nameTwice("s"), .emptySplit("s"),
                .unknownModel("v9", usedBy: "the split s"), .badWeight(model: "v9", split: "s"),
                .poolTwice("default"), .modelInTwoPools("v1"),
                .unknownModel("nothing", usedBy: "pool p"), .modelWithoutPool("old"),
            ])
    }

    @Test func poolsNeedWhatTheirKindWorksWith() {
        var next = configuration()
        next.models[0].path = nil
        #expect(next.problems == [.noTokenizer(model: "v1", pool: "default")])
        next.pools[0].kind = .openAI
        #expect(next.problems == [.noWorkers(pool: "default")])
    }

    @Test func aSwapThatRenamesTakesSplitsWithIt() throws {
        var next = configuration()
        next.setSplit(ModelSplit(name: "s", shares: [.init(model: "v1", weight: 1)]))
        try next.swap(pool: "default", path: "/v2.gguf", model: "v2")
        #expect(next.models.map(\.path) == ["/v2.gguf"])
        #expect(next.pools[0].model == "v2")
        #expect(next.splits[0].shares.map(\.model) == ["v2"])
        #expect(next.problems.isEmpty)
    }

    @Test func aSwapThatFailedIsUndone() throws {
        var next = configuration()
        next.setSplit(ModelSplit(name: "s", shares: [.init(model: "v1", weight: 1)]))
        let before = next
        try next.swap(pool: "default", path: "/v2.gguf", model: "v2")
        next.restore(before.pools[0], before.models[0])
        #expect(next.models == before.models && next.pools == before.pools)
        #expect(next.splits == before.splits && next.problems.isEmpty)
    }

    @Test func aPoolThatCouldNotStartLeavesNothing() throws {
        var next = configuration()
        try next.load(ModelSettings(name: "v2", path: "/v2.gguf"), workers: 1, arguments: nil)
        next.setSplit(
            ModelSplit(
                name: "both",
                shares: [.init(model: "v1", weight: 9), .init(model: "v2", weight: 1)]
            ))
        next.setSplit(ModelSplit(name: "only", shares: [.init(model: "v2", weight: 1)]))
        next.withdraw(pool: "v2")
        #expect(next.models.map(\.name) == ["v1"] && next.pools.map(\.name) == ["default"])
        #expect(next.splits.map(\.name) == ["both"] && next.problems.isEmpty)
    }

    @Test func whatIsLoadedCanBeUnloadedButNotTheLast() throws {
        var next = configuration()
        try next.load(ModelSettings(name: "v2", path: "/v2.gguf"), workers: 1, arguments: nil)
        #expect(next.problems.isEmpty)
        #expect(next.pools[1].supervised?.commandLine.arguments == ["--slots", "4"])
        next.setSplit(ModelSplit(name: "s", shares: [.init(model: "v2", weight: 1)]))
        #expect(throws: APIError.self) { try next.unload("v2") }
        try next.removeSplit("s")
        try next.unload("v2")
        #expect(next.pools.map(\.name) == ["default"])
        #expect(throws: APIError.self) { try next.unload("v1") }
    }

    @Test func aSplitKeepsTheOrderOfItsShares() {
        var next = configuration()
        next.setSplit(
            ModelSplit(
                name: "s", shares: [.init(model: "z", weight: 9), .init(model: "a", weight: 1)]))
        next.setSplit(
            ModelSplit(
                name: "s",
                shares: [
                    .init(model: "a", weight: 5), .init(model: "b", weight: 1),
                    .init(model: "z", weight: 5),
                ]))
        #expect(next.splits[0].shares.map(\.model) == ["z", "a", "b"])
    }
}
