import EngineProtocol
import GRPC
import InferenceTypes
import NIOCore
import Scheduling
import Testing

@testable import Worker

@Suite(.timeLimit(.minutes(1))) struct EmbeddingTests {
    private static func request(_ count: Int, seed: Int = 0) -> EngineEmbedRequest {
        EngineEmbedRequest(
            id: "embed-\(count)-\(seed)",
            tokens: (0..<count).map { TokenID(($0 * 7 + seed) % 999) })
    }

    @Test func embedsOneInputAfterTheOther() async throws {
        let worker = try await SimulatedWorker.start()
        let client = try await worker.client()
        async let first = client.embed(Self.request(200))
        async let second = client.embed(Self.request(3))
        async let third = client.embed(Self.request(200))
        let vectors = try await [first, second, third]
        #expect(vectors.map(\.promptTokens) == [200, 3, 200])
        #expect(vectors[0] == vectors[2] && vectors[0] != vectors[1])
        let length = vectors[0].vector.reduce(0) { $0 + $1 * $1 }
        #expect(abs(length - 1) < 1e-5)
        await worker.stop()
    }

    @Test func refusesWhatItCannotEmbed() async throws {
        let worker = try await SimulatedWorker.start {
            guard case .simulated(var settings) = $0.engine else { return }
            settings.sequenceTokensMax = 100
            $0.engine = .simulated(settings)
        }
        let client = try await worker.client()
        await expect(.outOfRange) { try await client.embed(Self.request(101)) }
        await expect(.invalidArgument) { try await client.embed(Self.request(0)) }
        var unknown = Self.request(2)
        unknown.tokens[1] = 1_000
        await expect(.invalidArgument) { [unknown] in try await client.embed(unknown) }
        await worker.stop()
    }

    private func expect(
        _ code: GRPCStatus.Code, _ body: () async throws -> EngineEmbedding
    ) async {
        do {
            _ = try await body()
            Issue.record("no refusal")
        } catch {
            #expect((error as? GRPCStatus)?.code == code)
        }
    }

    /// Between two steps there is one chunk: a stream goes on while an input of many is embedded.
    @Test func streamsGoOnMeanwhile() async throws {
        let worker = try await SimulatedWorker.start(
            stepTime: .fixed(microseconds: 200), isUnending: true)
        let client = try await worker.client()
        let stream = try await client.start(
            worker.request(1, tokens: SimulatedWorker.unending))
        try await stream.wait(forTokens: 1)
        let before = try await stream.count()
        // 100 chunks.
        _ = try await client.embed(Self.request(6_400))
        let after = try await stream.count()
        // All but those of steps whose tokens are on their way.
        #expect(after - before > 80)
        stream.cancel()
        await worker.becomesIdle()
        await worker.stop()
    }

    /// A call whose caller is gone is not computed, and does not keep a drain waiting.
    @Test func aCancelledCallIsForgotten() async throws {
        let worker = try await SimulatedWorker.start(
            stepTime: .fixed(microseconds: 1_000), isUnending: true)
        let client = try await worker.client()
        try await client.embedAndCancel(Self.request(1_000_000))
        _ = try await client.embed(Self.request(1))
        #expect(worker.runtime.metrics.embeddingTokens.value == 1)
        await worker.stop()
    }

    @Test func aWorkerThatStopsAnswersWhatWaits() async throws {
        let worker = try await SimulatedWorker.start(
            stepTime: .fixed(microseconds: 10_000), isUnending: true
        ) { $0.drainSeconds = 0 }
        let client = try await worker.client()
        let pending = Task { try await client.embed(Self.request(1_000_000)) }
        _ = try await client.embed(Self.request(1))
        await worker.stop()
        await expect(.unavailable) { try await pending.value }
    }
}

extension EngineClient {
    func embed(_ request: EngineEmbedRequest) async throws -> EngineEmbedding {
        try await ask { connection in
            let promise = connection.eventLoop.makePromise(of: EngineEmbedding.self)
            do {
                _ = try connection.embed(request) { result in
                    promise.completeWith(result.mapError { $0 as any Error })
                }
            } catch {
                promise.fail(error)
            }
            return promise.futureResult
        }
    }

    /// Sends it, and gives it up at once.
    func embedAndCancel(_ request: EngineEmbedRequest) async throws {
        try await ask { connection in
            connection.eventLoop.makeCompletedFuture {
                let call = try connection.embed(request) { _ in
                    Issue.record("told of a call that was cancelled")
                }
                connection.eventLoop.assumeIsolated().execute { call.cancel() }
            }
        }
    }
}
