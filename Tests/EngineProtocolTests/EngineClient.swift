import EngineProtocol
import GRPC
import HTTPTransport
import InferenceTypes
import NIOCore
import NIOPosix
import Synchronization

/// What came of one `Generate` call.
struct Generated: Sendable {
    var chunks: [EngineTokens] = []
    var finish: EngineFinish?
    var failure: GRPCStatus?

    var tokens: [TokenID] { chunks.flatMap(\.tokens) }
}

/// `EngineConnection` for tests: awaits, from any task, what happens on the loop.
struct EngineClient: Sendable {
    let eventLoop: any EventLoop
    let connection: NIOLoopBound<EngineConnection>

    static func connect(
        _ endpoint: HTTPEndpoint,
        configuration: EngineConnectionConfiguration = EngineConnectionConfiguration()
    ) async throws -> EngineClient {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        // The machine may be busy with the other suites.
        var configuration = configuration
        configuration.transport.connectTimeout = .seconds(60)
        let connection = try await EngineConnection.connect(
            to: endpoint, on: loop, configuration: configuration
        ).get()
        return EngineClient(eventLoop: loop, connection: connection)
    }

    static func request(
        _ id: String, _ prompt: [TokenID] = [1, 2, 3],
        _ change: (inout GenerationRequest) -> Void = { _ in }
    ) -> GenerationRequest {
        var request = GenerationRequest(id: id, prompt: prompt, sampling: SamplingParameters())
        change(&request)
        return request
    }

    /// Generates to the end.
    ///
    /// - Parameters:
    ///   - cancelAfter: cancels once that many chunks have come.
    ///   - consumes: gives credit after each chunk.
    func generate(
        _ request: GenerationRequest, metadata: EngineMetadata = EngineMetadata(),
        timeoutNanoseconds: Int64? = nil, cancelAfter: Int = .max, consumes: Bool = true
    ) async -> Generated {
        await withCheckedContinuation { continuation in
            eventLoop.execute {
                let collector = Collector(
                    cancelAfter: cancelAfter, consumes: consumes, continuation)
                start(request, metadata, timeoutNanoseconds, collector)
            }
        }
    }

    private func start(
        _ request: GenerationRequest, _ metadata: EngineMetadata, _ timeout: Int64?,
        _ collector: Collector
    ) {
        do {
            collector.call = try connection.value.generate(
                request, metadata: metadata, timeoutNanoseconds: timeout, receiver: collector)
        } catch {
            collector.failed(error)
        }
    }

    /// Starts a call that never gives credit, and returns how to look at it and go on.
    func generateStalled(_ request: GenerationRequest) async throws -> Stalled {
        let loop = eventLoop
        return try await loop.submit {
            let collector = Collector(cancelAfter: .max, consumes: false, nil)
            start(request, EngineMetadata(), nil, collector)
            return Stalled(eventLoop: loop, collector: NIOLoopBound(collector, eventLoop: loop))
        }.get()
    }

    /// A value read on the connection's loop.
    func ask<Value: Sendable>(
        _ question: @escaping @Sendable (EngineConnection) -> EventLoopFuture<Value>
    ) async throws -> Value {
        try await eventLoop.flatSubmit { question(connection.value) }.get()
    }

    func close() async throws {
        try await eventLoop.submit { connection.value.close() }.get()
    }
}

struct Stalled: Sendable {
    let eventLoop: any EventLoop
    let collector: NIOLoopBound<Collector>

    func generated() async throws -> Generated {
        try await eventLoop.submit { collector.value.generated }.get()
    }

    /// From now on every chunk is credited.
    func goOn() async throws {
        try await eventLoop.submit {
            collector.value.consumes = true
            collector.value.call?.consume()
        }.get()
    }

    func cancel() async throws {
        try await eventLoop.submit { collector.value.call?.cancel() }.get()
    }
}

final class Collector: EngineStreamReceiver {
    var call: EngineCall?
    var consumes: Bool
    private(set) var generated = Generated()
    private let cancelAfter: Int
    private var continuation: CheckedContinuation<Generated, Never>?

    init(
        cancelAfter: Int, consumes: Bool, _ continuation: CheckedContinuation<Generated, Never>?
    ) {
        self.cancelAfter = cancelAfter
        self.consumes = consumes
        self.continuation = continuation
    }

    func received(_ tokens: EngineTokens) {
        precondition(generated.finish == nil && generated.failure == nil, "tokens after the end")
        generated.chunks.append(tokens)
        if generated.chunks.count == cancelAfter {
            call?.cancel()
        } else if consumes {
            call?.consume()
        }
    }

    func finished(_ finish: EngineFinish) {
        precondition(generated.finish == nil && generated.failure == nil, "a second end")
        generated.finish = finish
        end()
    }

    func failed(_ status: GRPCStatus) {
        precondition(generated.finish == nil && generated.failure == nil, "a second end")
        generated.failure = status
        end()
    }

    private func end() {
        call = nil
        continuation?.resume(returning: generated)
        continuation = nil
    }
}
