import NIOCore
import NIOPosix

@testable import HTTPTransport

/// A server's and a client's session joined in memory, with a clock that only tests move.
final class JoinedSessions {
    let service = TestService()
    let server: HTTP2Session
    let client: HTTP2Session
    var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
    /// Everything that crossed, for replay.
    var fromClient: [UInt8] = []
    var fromServer: [UInt8] = []

    init(
        limits: HTTPLimits = HTTPLimits(), clientLimits: HTTPLimits = .trusted,
        waitingStreams: Int = 100, refusalBody: @escaping HTTPRefusal.Body = { _, _ in nil }
    ) {
        server = HTTP2Session(
            role: .server(service, refusalBody: refusalBody), connection: .test, limits: limits,
            now: now)
        client = HTTP2Session(
            role: .client(waitingStreams: waitingStreams), connection: .test,
            limits: clientLimits, now: now)
    }

    deinit {
        server.finish(nil)
        client.finish(nil)
    }

    /// Carries bytes both ways until neither side has any.
    func pump() {
        while moveToServer() + moveToClient() > 0 {}
    }

    @discardableResult
    func moveToServer(limit: Int = 65_536) -> Int {
        let bytes = client.produce(limit: limit, now: now)
        fromClient += Array(bytes.readableBytesView)
        if bytes.readableBytes > 0 { server.receive(bytes, now: now) }
        return bytes.readableBytes
    }

    @discardableResult
    func moveToClient(limit: Int = 65_536) -> Int {
        let bytes = server.produce(limit: limit, now: now)
        fromServer += Array(bytes.readableBytesView)
        if bytes.readableBytes > 0 { client.receive(bytes, now: now) }
        return bytes.readableBytes
    }

    func advance(_ amount: TimeAmount) {
        now = now + amount
        server.tick(now: now)
        client.tick(now: now)
    }

    @discardableResult
    func open(
        _ method: String = "GET", _ path: String = "/", fields: HTTPFields = [:],
        end: Bool = true
    ) throws -> TestResponse {
        let response = TestResponse()
        let head = HTTPRequestHead(
            method: method, authority: "test", path: path, fields: fields)
        let stream = try client.open(head, end: end, receiver: response)
        response.stream = HTTPClientStream(stream)
        return response
    }
}

extension HTTPConnectionContext {
    static var test: HTTPConnectionContext {
        HTTPConnectionContext(
            eventLoop: MultiThreadedEventLoopGroup.singleton.any(), isSecure: false,
            remoteAddress: nil)
    }
}

/// Collects requests; `onAccept`, `onBody` and `onEnd` script the answers.
///
/// Used from one thread at a time: a test's own, or the single loop of its server, whose `close`
/// is awaited before the test looks (the happens-before edge).
final class TestService: HTTPService, @unchecked Sendable {
    var requests: [TestRequest] = []
    var onAccept: (TestRequest) -> Void = { _ in }
    var onBody: (TestRequest, ByteBuffer) -> Void = { request, bytes in
        request.stream.consume(bytes.readableBytes)
    }
    var onEnd: (TestRequest) -> Void = { _ in }

    init() {}

    func accept(
        _ head: HTTPRequestHead, _ stream: HTTPServerStream
    ) -> any HTTPServerStreamReceiver {
        let request = TestRequest(head: head, stream: stream, service: self)
        requests.append(request)
        onAccept(request)
        return request
    }

    /// Echoes the body with status 200.
    static func echo() -> TestService {
        let service = TestService()
        service.makeEcho()
        return service
    }

    func makeEcho() {
        onAccept = { $0.stream.send(HTTPResponseHead(status: 200), end: false) }
        onBody = { request, bytes in
            request.stream.consume(bytes.readableBytes)
            request.stream.send(bytes, end: false)
        }
        onEnd = { request in
            if let trailers = request.trailers {
                request.stream.send(trailers: trailers)
            } else {
                request.stream.send(ByteBuffer(), end: true)
            }
        }
    }
}

final class TestRequest: HTTPServerStreamReceiver {
    let head: HTTPRequestHead
    let stream: HTTPServerStream
    unowned let service: TestService
    var body: [UInt8] = []
    var isEnded = false
    var trailers: HTTPFields?
    var closes: [HTTPStreamError?] = []
    var writability: [Bool] = []
    var onWritable: (Bool) -> Void = { _ in }

    init(head: HTTPRequestHead, stream: HTTPServerStream, service: TestService) {
        self.head = head
        self.stream = stream
        self.service = service
    }

    func received(_ bytes: ByteBuffer) {
        body += Array(bytes.readableBytesView)
        service.onBody(self, bytes)
    }

    func receivedEnd(trailers: HTTPFields?) {
        isEnded = true
        self.trailers = trailers
        service.onEnd(self)
    }

    func closed(_ error: HTTPStreamError?) { closes.append(error) }

    func writabilityChanged(_ isWritable: Bool) {
        writability.append(isWritable)
        onWritable(isWritable)
    }

    func answer(_ status: Int = 200, _ text: String = "", fields: HTTPFields = [:]) {
        stream.send(HTTPResponseHead(status: status, fields: fields), end: text.isEmpty)
        if !text.isEmpty { stream.send(ByteBuffer(string: text), end: true) }
    }
}

final class TestResponse: HTTPClientStreamReceiver {
    var stream: HTTPClientStream!
    var head: HTTPResponseHead?
    var body: [UInt8] = []
    var isEnded = false
    var trailers: HTTPFields?
    var closes: [HTTPStreamError?] = []
    var writability: [Bool] = []
    var consumes = true
    var onClosed: () -> Void = {}

    func received(_ head: HTTPResponseHead) { self.head = head }

    func received(_ bytes: ByteBuffer) {
        body += Array(bytes.readableBytesView)
        if consumes { stream.consume(bytes.readableBytes) }
    }

    func receivedEnd(trailers: HTTPFields?) {
        isEnded = true
        self.trailers = trailers
    }

    func closed(_ error: HTTPStreamError?) {
        closes.append(error)
        onClosed()
    }

    func writabilityChanged(_ isWritable: Bool) { writability.append(isWritable) }

    var text: String { String(decoding: body, as: UTF8.self) }
}
