import EngineProtocol
import GRPC
import InferenceTypes
import NIOCore
import Routing
import Testing

@testable import Worker

/// Collects batches, on the connection's loop.
private final class Recorder: EngineEventReceiver {
    private var batches: [EngineEventBatch] = []
    private var wanted: (count: (EngineEventBatch) -> Bool, EventLoopPromise<EngineEventBatch>)?
    let ended: EventLoopPromise<GRPCStatus>
    var subscription: EngineSubscription?

    init(_ eventLoop: any EventLoop) {
        ended = eventLoop.makePromise()
    }

    deinit {
        // Nobody asked for the end; a promise must not be dropped.
        ended.succeed(.ok)
        wanted?.1.fail(GRPCStatus(.cancelled))
    }

    func received(_ batch: EngineEventBatch) {
        batches.append(batch)
        settle()
    }

    func subscriptionEnded(_ status: GRPCStatus) {
        ended.succeed(status)
        wanted?.1.fail(status)
        wanted = nil
    }

    /// The first batch so far or to come for which `isWanted` holds.
    func first(
        _ promise: EventLoopPromise<EngineEventBatch>,
        _ isWanted: @escaping (EngineEventBatch) -> Bool
    ) {
        wanted = (isWanted, promise)
        settle()
    }

    private func settle() {
        guard let (isWanted, promise) = wanted, let found = batches.first(where: isWanted) else {
            return
        }
        wanted = nil
        promise.succeed(found)
    }
}

/// A subscriber, for tests.
private struct Subscriber: Sendable {
    let client: EngineClient
    private let recorder: NIOLoopBound<Recorder>

    init(to worker: SimulatedWorker) async throws {
        let client = try await worker.client()
        self.client = client
        recorder = try await client.ask { connection in
            let recorder = Recorder(connection.eventLoop)
            do {
                recorder.subscription = try connection.subscribe(recorder)
            } catch {
                return connection.eventLoop.makeFailedFuture(error)
            }
            return connection.eventLoop.makeSucceededFuture(
                NIOLoopBound(recorder, eventLoop: connection.eventLoop))
        }
    }

    func first(
        where isWanted: @escaping @Sendable (EngineEventBatch) -> Bool
    ) async throws -> EngineEventBatch {
        let recorder = recorder
        return try await client.ask { connection in
            let promise = connection.eventLoop.makePromise(of: EngineEventBatch.self)
            recorder.value.first(promise, isWanted)
            return promise.futureResult
        }
    }

    func end() async throws -> GRPCStatus {
        let recorder = recorder
        return try await client.ask { _ in recorder.value.ended.futureResult }
    }

    func cancel() async throws {
        let recorder = recorder
        try await client.eventLoop.submit { recorder.value.subscription?.cancel() }.get()
    }
}

extension EngineEventBatch {
    fileprivate var storedHashes: [UInt64] {
        events.flatMap { event -> [UInt64] in
            guard case .stored(let stored) = event else { return [] }
            return stored.blocks.map(\.hash)
        }
    }
}

@Suite(.timeLimit(.minutes(1))) struct WorkerReportsTests {
    @Test func subscribersHearOfLoadAndBlocks() async throws {
        let worker = try await SimulatedWorker.start(
            slots: 2, stepTime: .fixed(microseconds: 1_000), isUnending: true
        ) { $0.reportMilliseconds = 10 }
        let subscriber = try await Subscriber(to: worker)
        let beginning = try await subscriber.first { _ in true }
        #expect(beginning.isSnapshot && beginning.events == [.cleared])
        #expect(beginning.load?.runningRequests == 0 && beginning.load?.maxRunningRequests == 2)

        let client = try await worker.client()
        var streams: [EngineClient.Stream] = []
        for number in 1...3 {
            var request = worker.request(
                number, tokens: SimulatedWorker.unending, prompt: 200)
            request.prefixSalt = 99
            streams.append(try await client.start(request))
        }
        let full = try await subscriber.first {
            $0.load?.runningRequests == 2 && $0.load?.waitingRequests == 1
        }
        #expect((full.load?.usedTokens ?? 0) > 200)
        // The router's own hashes of the same prompt.
        let expected = PromptBlocks(
            worker.request(1, tokens: 1, prompt: 200).prompt, salt: 99,
            configuration: PrefixConfiguration()
        ).hashes
        let stored = try await subscriber.first { $0.storedHashes.contains(expected[2]) }
        #expect(stored.sequenceNumber > beginning.sequenceNumber)

        // A subscriber that comes later begins with all there is.
        let late = try await Subscriber(to: worker)
        let snapshot = try await late.first { _ in true }
        #expect(snapshot.isSnapshot && snapshot.events.first == .cleared)
        #expect(Set(snapshot.storedHashes).isSuperset(of: expected))
        #expect(snapshot.load?.runningRequests == 2)
        for stream in streams { stream.cancel() }
        _ = try await late.first { $0.load?.runningRequests == 0 }
        await worker.stop()
    }

    @Test func aSubscriptionDoesNotHoldUpADrain() async throws {
        let worker = try await SimulatedWorker.start { $0.drainSeconds = 50 }
        let subscriber = try await Subscriber(to: worker)
        _ = try await subscriber.first { $0.isSnapshot }
        await worker.runtime.drain()
        #expect(try await subscriber.end().code == .unavailable)
        await worker.stop()
    }

    @Test func thereAreOnlySoManySubscribers() async throws {
        let worker = try await SimulatedWorker.start { $0.subscribersMax = 1 }
        let first = try await Subscriber(to: worker)
        _ = try await first.first { $0.isSnapshot }
        #expect(try await Subscriber(to: worker).end().code == .resourceExhausted)
        try await first.cancel()
        // Its place is free once the worker has heard of it.
        while true {
            let next = try await Subscriber(to: worker)
            if (try? await next.first { $0.isSnapshot }) != nil { break }
        }
        await worker.stop()
    }
}
