import GRPC
import HTTPTransport
import NIOCore
import NIOPosix

@testable import Worker

/// A gateway that is not ours: calls with the protocol's own messages.
final class ForeignClient: Sendable {
    /// A call's answer.
    struct Answer: Sendable {
        var messages: [ByteBuffer] = []
        var status = GRPCStatus.ok
    }

    /// A call under way.
    struct Call: Sendable {
        let answer: EventLoopFuture<Answer>
        /// Succeeds with the first message; fails when there is none.
        let firstMessage: EventLoopFuture<ByteBuffer>
        fileprivate let call: NIOLoopBound<GRPCClientCall>
        fileprivate let eventLoop: any EventLoop

        func cancel() { eventLoop.execute { call.value.cancel() } }
    }

    private let eventLoop: any EventLoop
    private let connection: NIOLoopBound<HTTP2ClientConnection>

    init(
        to address: WorkerListenAddress,
        group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
    ) async throws {
        let loop = group.next()
        eventLoop = loop
        connection = try await loop.flatSubmit {
            HTTP2ClientConnection.connect(to: address.endpoint, on: loop)
                .assumeIsolated().map { NIOLoopBound($0, eventLoop: loop) }.nonisolated()
        }.get()
    }

    /// Sends one message and half-closes.
    func start(_ path: String, _ message: ByteBuffer) async throws -> Call {
        try await eventLoop.submit { [eventLoop, connection] in
            let recorder = Recorder(eventLoop)
            let call = try GRPCClientCall.start(
                path, on: connection.value, authority: "localhost", receiver: recorder)
            call.send(message, end: true)
            return Call(
                answer: recorder.answered.futureResult,
                firstMessage: recorder.firstMessage.futureResult,
                call: NIOLoopBound(call, eventLoop: eventLoop), eventLoop: eventLoop)
        }.get()
    }

    /// Closes the connection, whatever runs on it.
    func close() async throws {
        try await eventLoop.submit { [connection] in connection.value.close() }.get()
    }
}

/// Owned by the connection's loop.
private final class Recorder: GRPCClientCallReceiver {
    let answered: EventLoopPromise<ForeignClient.Answer>
    let firstMessage: EventLoopPromise<ByteBuffer>
    private var answer = ForeignClient.Answer()

    init(_ eventLoop: any EventLoop) {
        answered = eventLoop.makePromise()
        firstMessage = eventLoop.makePromise()
    }

    func received(message: ByteBuffer) {
        answer.messages.append(message)
        firstMessage.succeed(message)
    }

    func closed(_ status: GRPCStatus, trailers: GRPCMetadata) {
        answer.status = status
        firstMessage.fail(status)
        answered.succeed(answer)
    }
}
