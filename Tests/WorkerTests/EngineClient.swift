import EngineProtocol
import GRPC
import HTTPTransport
import InferenceTypes
import NIOCore
import NIOPosix

@testable import Worker

/// How a request ended, and what came before.
struct Outcome: Sendable {
    var tokens: [TokenID] = []
    var logprobs: [TokenLogprob] = []
    var finish: EngineFinish?
    var failure: GRPCStatus?
    var end = NIODeadline.now()
}

/// A client's connection to a worker, for tests: async calls around loop-confined objects.
final class EngineClient: Sendable {
    /// One request under way.
    struct Stream: Sendable {
        let outcome: EventLoopFuture<Outcome>
        fileprivate let recorder: NIOLoopBound<StreamRecorder>
        fileprivate let eventLoop: any EventLoop

        func cancel() {
            eventLoop.execute { recorder.value.call?.cancel() }
        }

        /// Gives credit for what came, and from now on for everything.
        func read() {
            eventLoop.execute {
                recorder.value.consumes = true
                recorder.value.call?.consume()
            }
        }

        /// Tokens that have come so far.
        func count() async throws -> Int {
            try await eventLoop.submit { recorder.value.outcome.tokens.count }.get()
        }

        func wait(forTokens count: Int) async throws {
            try await eventLoop.flatSubmit {
                let promise = eventLoop.makePromise(of: Void.self)
                recorder.value.notify(at: count, promise)
                return promise.futureResult
            }.get()
        }
    }

    let eventLoop: any EventLoop
    private let connection: NIOLoopBound<EngineConnection>

    private init(_ connection: NIOLoopBound<EngineConnection>, _ eventLoop: any EventLoop) {
        self.connection = connection
        self.eventLoop = eventLoop
    }

    static func connect(
        to address: WorkerListenAddress, streamWindowBytes: Int? = nil,
        credentials: EngineCredentials = EngineCredentials(),
        group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
    ) async throws -> EngineClient {
        let loop = group.next()
        var configuration = EngineConnectionConfiguration()
        if let streamWindowBytes {
            configuration.transport.limits.streamWindowBytes = streamWindowBytes
        }
        let connection = try await EngineConnection.connect(
            to: address.endpoint, on: loop, configuration: configuration,
            credentials: credentials
        ).get()
        return EngineClient(connection, loop)
    }

    func start(
        _ request: GenerationRequest, metadata: EngineMetadata = EngineMetadata(),
        timeoutNanoseconds: Int64? = nil, consumes: Bool = true
    ) async throws -> Stream {
        try await eventLoop.submit { [self] in
            let promise = eventLoop.makePromise(of: Outcome.self)
            let recorder = StreamRecorder(promise, consumes: consumes)
            recorder.call = try connection.value.generate(
                request, metadata: metadata, timeoutNanoseconds: timeoutNanoseconds,
                receiver: recorder)
            return Stream(
                outcome: promise.futureResult,
                recorder: NIOLoopBound(recorder, eventLoop: eventLoop), eventLoop: eventLoop)
        }.get()
    }

    /// Runs a request to its end.
    func generate(
        _ request: GenerationRequest, metadata: EngineMetadata = EngineMetadata()
    ) async throws -> Outcome {
        try await start(request, metadata: metadata).outcome.get()
    }

    func loads() async throws -> EngineLoad {
        let loads = try await ask { $0.loads() }
        return loads.ranks[0]
    }

    func ask<Answer: Sendable>(
        _ question: @escaping @Sendable (EngineConnection) -> EventLoopFuture<Answer>
    ) async throws -> Answer {
        try await eventLoop.flatSubmit { [connection] in question(connection.value) }.get()
    }

    /// Cuts the connection without a word.
    func close() async throws {
        try await eventLoop.submit { [connection] in connection.value.close() }.get()
    }
}

/// Owned by the connection's loop.
private final class StreamRecorder: EngineStreamReceiver {
    var outcome = Outcome()
    var call: EngineCall?
    var consumes: Bool
    private let promise: EventLoopPromise<Outcome>
    private var waiters: [(count: Int, promise: EventLoopPromise<Void>)] = []

    init(_ promise: EventLoopPromise<Outcome>, consumes: Bool) {
        self.promise = promise
        self.consumes = consumes
    }

    func notify(at count: Int, _ promise: EventLoopPromise<Void>) {
        waiters.append((count, promise))
        tellWaiters()
    }

    func received(_ tokens: EngineTokens) {
        outcome.tokens += tokens.tokens
        outcome.logprobs += tokens.logprobs ?? []
        if consumes { call?.consume() }
        tellWaiters()
    }

    func finished(_ finish: EngineFinish) {
        outcome.finish = finish
        end()
    }

    func failed(_ status: GRPCStatus) {
        outcome.failure = status
        end()
    }

    private func end() {
        outcome.end = .now()
        promise.succeed(outcome)
        for waiter in waiters { waiter.promise.succeed() }
        waiters = []
    }

    private func tellWaiters() {
        for waiter in waiters where waiter.count <= outcome.tokens.count {
            waiter.promise.succeed()
        }
        waiters.removeAll { $0.count <= outcome.tokens.count }
    }
}
