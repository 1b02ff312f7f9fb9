import HTTPTransport
import InferenceAPI
import NIOCore

/// Whole answers, for streams that have had no head yet.
enum Answer {
    static let json = "application/json"

    /// Compressed when `request` says that its client likes that, and it pays.
    static func send(
        _ body: ByteBuffer, type: String, requestID: String? = nil,
        for request: HTTPRequestHead? = nil, to stream: HTTPServerStream
    ) {
        var head = HTTPResponseHead(
            status: 200,
            fields: ["content-type": type, "content-length": String(body.readableBytes)])
        if let requestID { head.fields.append("x-request-id", requestID) }
        var body = body
        if let request {
            body = ResponseCompression().encode(body, head: &head, for: request)
        }
        stream.send(head, end: false)
        stream.send(body, end: true)
    }

    static func send(_ error: APIError, requestID: String? = nil, to stream: HTTPServerStream) {
        var body = ByteBuffer()
        error.writeBody(into: &body)
        var fields = HTTPFields()
        for (name, value) in error.httpFields { fields.append(name, value) }
        fields.append("content-length", String(body.readableBytes))
        if let requestID { fields.append("x-request-id", requestID) }
        stream.send(HTTPResponseHead(status: error.httpStatus, fields: fields), end: false)
        stream.send(body, end: true)
    }
}

/// For answers that do not depend on the request's body: it is read and dropped.
final class DiscardingReceiver: HTTPServerStreamReceiver {
    private let stream: HTTPServerStream

    init(stream: HTTPServerStream) {
        self.stream = stream
    }

    func received(_ bytes: ByteBuffer) {
        stream.consume(bytes.readableBytes)
    }

    func receivedEnd(trailers: HTTPFields?) {}

    func closed(_ error: HTTPStreamError?) {}
}
