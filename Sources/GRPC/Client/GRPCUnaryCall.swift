package import HTTPTransport
package import NIOCore

/// A call of one request and one answer, as a future. For probes and control calls, not for the
/// data path.
package enum GRPCUnaryCall {
    /// The future is on the connection's loop, where this must be called. It fails with a
    /// `GRPCStatus`: the server's, or UNIMPLEMENTED when an OK answer does not hold exactly one
    /// message (`statuscodes.md`, cardinality).
    package static func start(
        _ path: String, _ request: ByteBuffer, on connection: HTTP2ClientConnection,
        authority: String, metadata: GRPCMetadata = GRPCMetadata(),
        timeoutNanoseconds: Int64? = nil, configuration: GRPCConfiguration = GRPCConfiguration()
    ) -> EventLoopFuture<ByteBuffer> {
        let promise = connection.eventLoop.makePromise(of: ByteBuffer.self)
        do {
            let call = try GRPCClientCall.start(
                path, on: connection, authority: authority, metadata: metadata,
                timeoutNanoseconds: timeoutNanoseconds, configuration: configuration,
                receiver: SingleAnswer(promise))
            call.send(request, end: true)
        } catch {
            promise.fail(error)
        }
        return promise.futureResult
    }
}

private final class SingleAnswer: GRPCClientCallReceiver {
    private let promise: EventLoopPromise<ByteBuffer>
    private var answers: [ByteBuffer] = []

    init(_ promise: EventLoopPromise<ByteBuffer>) {
        self.promise = promise
    }

    func received(message: ByteBuffer) {
        // Two are enough to know that there are too many.
        if answers.count < 2 { answers.append(message) }
    }

    func closed(_ status: GRPCStatus, trailers: GRPCMetadata) {
        if !status.isOK {
            promise.fail(status)
        } else if answers.count == 1 {
            promise.succeed(answers[0])
        } else {
            promise.fail(
                GRPCStatus(
                    .unimplemented,
                    answers.isEmpty ? "the answer has no message" : "more than one answer"))
        }
    }
}
