import GRPC
import InferenceAPI
import NIOCore

/// A call of one request and one answer. Owned by the connection's loop.
final class UnaryCall: GRPCServerCallReceiver {
    /// Its future is of the call's loop.
    typealias Handler =
        @Sendable (ByteBuffer, GRPCCaller) throws(APIError) -> EventLoopFuture<
            Result<ByteBuffer, APIError>
        >

    /// The call drops its receiver when it ends, which breaks the cycle.
    private let call: GRPCServerCall
    private let caller: GRPCCaller
    private let handle: Handler
    private var message: ByteBuffer?

    init(_ call: GRPCServerCall, _ caller: GRPCCaller, _ handle: @escaping Handler) {
        self.call = call
        self.caller = caller
        self.handle = handle
    }

    func received(message: ByteBuffer) {
        guard self.message == nil else { return call.finish(.secondMessage) }
        self.message = message
    }

    func receivedEnd() {
        guard let message else { return call.finish(.missingMessage) }
        do throws(APIError) {
            let bound = NIOLoopBound(self, eventLoop: call.eventLoop)
            try handle(message, caller).whenComplete { result in
                switch result {
                case .success(let answer): bound.value.answer(answer)
                case .failure:
                    bound.value.answer(
                        .failure(APIError.shuttingDown))
                }
            }
        } catch {
            answer(.failure(error))
        }
    }

    func cancelled(_ status: GRPCStatus) {}

    private func answer(_ result: Result<ByteBuffer, APIError>) {
        guard !call.isFinished else { return }
        switch result {
        case .success(let message):
            call.send(message: message)
            call.finish()
        case .failure(let error):
            caller.core.metrics.refused(error)
            call.finish(error)
        }
    }
}

extension GRPCStatus {
    /// What breaks the cardinality of a method that takes one message (`statuscodes.md`).
    static let secondMessage = GRPCStatus(.unimplemented, "the method takes a single message")
    static let missingMessage = GRPCStatus(.unimplemented, "the request message is missing")
}
