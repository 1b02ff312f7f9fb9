import GRPC
import NIOCore
import Testing

/// `grpc.health.v1` of a whole worker.
@Suite(.timeLimit(.minutes(1))) struct WorkerHealthTests {
    private static let serving = ByteBuffer(bytes: [0x08, 1])
    private static let notServing = ByteBuffer(bytes: [0x08, 2])

    /// A watch has no end of its own: one that held up the drain would do so until its deadline.
    @Test func anOpenWatchDoesNotHoldUpADrain() async throws {
        let worker = try await SimulatedWorker.start { $0.drainSeconds = 20 }
        let client = try await ForeignClient(to: worker.runtime.listenAddress)
        let watch = try await client.start("/grpc.health.v1.Health/Watch", ByteBuffer())
        #expect(try await watch.firstMessage.get() == Self.serving)
        let start = ContinuousClock.now
        await worker.runtime.drain()
        #expect(ContinuousClock.now - start < .seconds(20))
        let answer = try await watch.answer.get()
        #expect(answer.messages == [Self.serving, Self.notServing])
        #expect(answer.status.code == .unavailable)
        try await worker.runtime.waitForEnd()
        await worker.stop()
    }

    /// While a request holds the connection open, the watch is told at once.
    @Test func aWatchHearsOfTheDrainBeforeItsEnd() async throws {
        let worker = try await SimulatedWorker.start(
            stepTime: .fixed(microseconds: 1_000), isUnending: true
        ) { $0.drainSeconds = 20 }
        let client = try await worker.client()
        let stream = try await client.start(worker.request(1, tokens: SimulatedWorker.unending))
        try await stream.wait(forTokens: 1)
        let watcher = try await ForeignClient(to: worker.runtime.listenAddress)
        let watch = try await watcher.start("/grpc.health.v1.Health/Watch", ByteBuffer())
        _ = try await watch.firstMessage.get()
        async let drained: Void = worker.runtime.drain()
        #expect(try await watch.answer.get().messages == [Self.serving, Self.notServing])
        stream.cancel()
        await drained
        await worker.stop()
    }
}
