import HTTPTransport
import InferenceAPI
import NIOCore

/// A request without a body whose answer is looked up: it waits for it and writes it. Owned by the
/// connection's loop.
final class LookupExchange: HTTPServerStreamReceiver {
    struct Reply: Sendable {
        var status = 200
        var type = Answer.json
        var body = ByteBuffer()
    }

    private let request: GatewayService.Request
    private let face: any RESTFace
    private let metrics: GatewayMetrics
    private var isOpen = true

    init(
        _ request: GatewayService.Request, face: any RESTFace, metrics: GatewayMetrics,
        answer: EventLoopFuture<Result<Reply, APIError>>
    ) {
        self.request = request
        self.face = face
        self.metrics = metrics
        let bound = NIOLoopBound(self, eventLoop: request.stream.eventLoop)
        answer.whenSuccess { bound.value.answer($0) }
    }

    func received(_ bytes: ByteBuffer) {
        request.stream.consume(bytes.readableBytes)
    }

    func receivedEnd(trailers: HTTPFields?) {}

    func closed(_ error: HTTPStreamError?) {
        isOpen = false
    }

    private func answer(_ result: Result<Reply, APIError>) {
        guard isOpen else { return }
        isOpen = false
        switch result {
        case .success(let reply):
            Answer.send(
                reply.body, status: reply.status, type: reply.type, requestID: request.id,
                face: face, for: request.head, to: request.stream)
        case .failure(let error):
            metrics.refused(error)
            Answer.send(error, requestID: request.id, face: face, to: request.stream)
        }
    }
}
