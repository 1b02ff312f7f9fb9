import NIOCore

@testable import HTTPTransport

/// A service whose exchanges tests look at and steer. One loop only.
final class RecordingService: HTTPService, @unchecked Sendable {
    var exchanges: [Exchange] = []
    /// What to do inside `accept`, and when a request is complete.
    var onAccept: (Exchange) -> Void = { _ in }
    var onEnd: (Exchange) -> Void = { _ in }
    var consumes = true

    func accept(
        _ head: HTTPRequestHead, _ stream: HTTPServerStream
    ) -> any HTTPServerStreamReceiver {
        let exchange = Exchange(head, stream, self)
        exchanges.append(exchange)
        onAccept(exchange)
        return exchange
    }

    /// Answers each complete request with "METHOD path body".
    static func echo() -> RecordingService {
        let service = RecordingService()
        service.onEnd = { exchange in
            exchange.answer("\(exchange.head.method) \(exchange.head.path) \(exchange.body)")
        }
        return service
    }
}

final class Exchange: HTTPServerStreamReceiver {
    let head: HTTPRequestHead
    let stream: HTTPServerStream
    private unowned let service: RecordingService
    var body = ""
    var pieces = 0
    var ended = false
    var trailers: HTTPFields?
    var closed: [HTTPStreamError?] = []
    var writability: [Bool] = []

    init(_ head: HTTPRequestHead, _ stream: HTTPServerStream, _ service: RecordingService) {
        self.head = head
        self.stream = stream
        self.service = service
    }

    func answer(_ text: String, status: Int = 200) {
        stream.send(
            HTTPResponseHead(
                status: status,
                fields: ["content-length": "\(text.utf8.count)", "date": "D"]),
            end: false)
        stream.send(ByteBuffer(string: text), end: true)
    }

    func received(_ bytes: ByteBuffer) {
        precondition(closed.isEmpty && !ended)
        body += String(buffer: bytes)
        pieces += 1
        if service.consumes { stream.consume(bytes.readableBytes) }
    }

    func receivedEnd(trailers: HTTPFields?) {
        precondition(closed.isEmpty && !ended)
        ended = true
        self.trailers = trailers
        service.onEnd(self)
    }

    func closed(_ error: HTTPStreamError?) {
        closed.append(error)
    }

    func writabilityChanged(_ isWritable: Bool) {
        writability.append(isWritable)
    }
}
