import HTTPTransport
import InferenceAPI
import NIOCore

/// Whole answers, for streams that have had no head yet.
enum Answer {
    static let json = "application/json"

    /// Compressed when `request` says that its client likes that, and it pays.
    static func send(
        _ body: ByteBuffer, status: Int = 200, type: String, requestID: String? = nil,
        face: any RESTFace = ChatFace(), fields: HTTPFields = [:],
        for request: HTTPRequestHead? = nil, to stream: HTTPServerStream
    ) {
        var head = HTTPResponseHead(
            status: status,
            fields: ["content-type": type, "content-length": String(body.readableBytes)])
        addRequestID(requestID, face, to: &head.fields)
        for field in fields { head.fields.append(field.name, field.value) }
        var body = body
        if let request {
            body = ResponseCompression().encode(body, head: &head, for: request)
        }
        stream.send(head, end: false)
        stream.send(body, end: true)
    }

    static func send(
        _ error: APIError, requestID: String? = nil, face: any RESTFace = ChatFace(),
        fields more: HTTPFields = [:], to stream: HTTPServerStream
    ) {
        var body = ByteBuffer()
        face.write(error, requestID: requestID ?? "", into: &body)
        var fields = HTTPFields()
        for (name, value) in error.httpFields { fields.append(name, value) }
        for field in more { fields.append(field.name, field.value) }
        fields.append("content-length", String(body.readableBytes))
        addRequestID(requestID, face, to: &fields)
        stream.send(
            HTTPResponseHead(status: face.httpStatus(of: error), fields: fields), end: false)
        stream.send(body, end: true)
    }

    /// Of an answer that is a stream of events (HTML standard §9.2).
    static func sendStreamHead(
        requestID: String, face: any RESTFace, fields more: HTTPFields = [:],
        to stream: HTTPServerStream
    ) {
        var fields: HTTPFields = [
            "content-type": "text/event-stream", "cache-control": "no-cache",
            "x-accel-buffering": "no",
        ]
        addRequestID(requestID, face, to: &fields)
        for field in more { fields.append(field.name, field.value) }
        stream.send(HTTPResponseHead(status: 200, fields: fields), end: false)
    }

    static func addRequestID(
        _ requestID: String?, _ face: any RESTFace, to fields: inout HTTPFields
    ) {
        guard let requestID else { return }
        fields.append("x-request-id", requestID)
        for name in face.requestIDFields { fields.append(name, requestID) }
    }
}

extension APIError {
    /// For what was accepted and cannot be done any more.
    static let shuttingDown = APIError(.draining, "This gateway is shutting down.")

    static func bodyTooLarge(limit: Int) -> APIError {
        APIError(.payloadTooLarge, "The body is larger than \(limit) bytes.")
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
