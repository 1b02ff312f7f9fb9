import HTTPTransport
import InferenceAPI
import NIOCore

/// A request whose whole body makes its whole answer, without a generation: reads the body, hands
/// it on and writes what comes back. Owned by the connection's loop.
final class BodyExchange: HTTPServerStreamReceiver {
    /// Gets the body on the connection's loop; its answer is JSON.
    typealias Handler = (ByteBuffer, any EventLoop) -> EventLoopFuture<Result<ByteBuffer, APIError>>

    private let head: HTTPRequestHead
    private let stream: HTTPServerStream
    private let face: any RESTFace
    private let requestID: String
    private let limitBytes: Int
    private let metrics: GatewayMetrics
    /// Nil once called, or when the client has gone.
    private var handler: Handler?
    private var body = ByteBuffer()
    private var isOpen = true

    init(
        _ head: HTTPRequestHead, _ stream: HTTPServerStream, face: any RESTFace,
        requestID: String, limitBytes: Int, metrics: GatewayMetrics, handler: @escaping Handler
    ) {
        self.head = head
        self.stream = stream
        self.face = face
        self.requestID = requestID
        self.limitBytes = limitBytes
        self.metrics = metrics
        self.handler = handler
    }

    func received(_ bytes: ByteBuffer) {
        stream.consume(bytes.readableBytes)
        guard handler != nil else { return }
        guard body.readableBytes + bytes.readableBytes <= limitBytes else {
            return answer(.failure(.bodyTooLarge(limit: limitBytes)))
        }
        body.writeImmutableBuffer(bytes)
    }

    func receivedEnd(trailers: HTTPFields?) {
        guard let handler else { return }
        self.handler = nil
        let bound = NIOLoopBound(self, eventLoop: stream.eventLoop)
        handler(body, stream.eventLoop).whenComplete { result in
            switch result {
            case .success(let answer): bound.value.answer(answer)
            case .failure:
                // What it ran on is shut down only when the gateway stops.
                bound.value.answer(
                    .failure(APIError.shuttingDown))
            }
        }
        body = ByteBuffer()
    }

    func closed(_ error: HTTPStreamError?) {
        isOpen = false
        handler = nil
    }

    private func answer(_ result: Result<ByteBuffer, APIError>) {
        handler = nil
        body = ByteBuffer()
        guard isOpen else { return }
        isOpen = false
        switch result {
        case .success(let body):
            Answer.send(
                body, type: Answer.json, requestID: requestID, face: face, for: head, to: stream)
        case .failure(let error):
            metrics.refused(error)
            Answer.send(error, requestID: requestID, face: face, to: stream)
        }
    }
}
