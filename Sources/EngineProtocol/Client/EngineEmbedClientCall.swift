package import GRPC
package import NIOCore

/// One `Embed` call on the client. Owned by the connection's loop.
package final class EngineEmbedClientCall: GRPCClientCallReceiver {
    private var completion: ((Result<EngineEmbedding, GRPCStatus>) -> Void)?
    private var call: GRPCClientCall?
    private var answer: ByteBuffer?

    init(_ completion: @escaping (Result<EngineEmbedding, GRPCStatus>) -> Void) {
        self.completion = completion
    }

    func started(_ call: GRPCClientCall) {
        self.call = call
    }

    /// Ends it; the completion is not called.
    package func cancel() {
        completion = nil
        call?.cancel()
    }

    package func received(message: ByteBuffer) {
        answer = message
    }

    package func closed(_ status: GRPCStatus, trailers: GRPCMetadata) {
        call = nil
        guard let completion else { return }
        self.completion = nil
        guard status.isOK else { return completion(.failure(status)) }
        guard let answer else {
            return completion(
                .failure(GRPCStatus(.unimplemented, "the answer has no message")))
        }
        completion(Result { () throws(GRPCStatus) in try EngineMessages.embedding(answer) })
    }
}
