import Testing

@testable import EngineProtocol

@Suite struct EngineServerInfoTests {
    @Test(arguments: [
        (0, 1, 256), (0, 0, 256), (-1, 1, 256), (16, 1, 16), (16, 0, 16), (16, 4, 64),
        (0, 2, 512), (Int(Int32.max), Int(Int32.max), 1_000_000),
    ])
    func slotsAreThoseOfAllRanks(slots: Int, ranks: Int, total: Int) {
        var info = EngineServerInfo()
        info.slots = slots
        info.dataParallelSize = ranks
        #expect(info.totalSlots(default: 256) == total)
    }

    @Test func onlyOurWorkerIsOurs() {
        var info = EngineServerInfo()
        #expect(!info.isSwitchyard)
        info.serverType = "vllm-grpc"
        #expect(!info.isSwitchyard)
        info.serverType = "switchyard-worker"
        #expect(info.isSwitchyard)
    }
}
