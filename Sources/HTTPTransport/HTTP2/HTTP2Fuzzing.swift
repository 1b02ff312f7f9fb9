import NIOCore
import NIOPosix

// Harnesses for fuzzers: arbitrary bytes against a session in memory. They trap when an invariant
// breaks; sanitizers find the rest. The committed corpus is replayed by a unit test.

/// Feeds `bytes` to a server with an echo service.
///
/// The first byte steers: bit 0 sends preface and SETTINGS first, bit 1 reads the output after
/// every chunk, bit 2 moves the clock; the other bits give the chunk's size.
package func fuzzHTTP2Server(_ bytes: [UInt8]) {
    guard let steering = bytes.first else { return }
    let service = FuzzService()
    var limits = HTTPLimits()
    limits.concurrentStreams = 64
    limits.bodyBytes = 1 << 16
    limits.outputHardLimitBytes = 1 << 20
    var now = NIODeadline.uptimeNanoseconds(1)
    let session = HTTP2Session(
        role: .server(
            service,
            refusalBody: { _, _ in (["content-type": "text/plain"], ByteBuffer(string: "no")) }),
        connection: .fuzzing, limits: limits, now: now)
    if steering & 1 != 0 {
        session.receive(ByteBuffer(bytes: fuzzPreface), now: now)
    }
    feed(bytes.dropFirst(), to: session, steering: steering, now: &now)
    for _ in 0..<64 where !session.isFinished {
        if session.produce(limit: 1 << 16, now: now).readableBytes == 0 { break }
    }
    session.finish(nil)
    precondition(service.opened == service.closed, "a stream was not closed exactly once")
    precondition(session.openStreams == 0)
}

/// Feeds `bytes` to a client with a few open streams, as if a server had sent them. Steering as
/// above; bit 0 sends SETTINGS first.
package func fuzzHTTP2Client(_ bytes: [UInt8]) {
    guard let steering = bytes.first else { return }
    var now = NIODeadline.uptimeNanoseconds(1)
    let session = HTTP2Session(
        role: .client(waitingStreams: 8), connection: .fuzzing, limits: .trusted, now: now)
    let receivers = (0..<4).map { _ in FuzzReceiver() }
    for (index, receiver) in receivers.enumerated() {
        let head = HTTPRequestHead(
            method: index == 0 ? "HEAD" : "POST", authority: "fuzz", path: "/\(index)")
        // Before any input a client takes its first streams.
        let stream = try? session.open(head, end: index < 2, receiver: receiver)
        receiver.stream = stream.map(HTTPClientStream.init)
        precondition(stream != nil)
        if index == 3 { stream?.send(ByteBuffer(repeating: 0, count: 1 << 17), end: true) }
    }
    _ = session.produce(limit: 1 << 16, now: now)
    if steering & 1 != 0 {
        session.receive(ByteBuffer(bytes: fuzzPreface.suffix(9)), now: now)
    }
    feed(bytes.dropFirst(), to: session, steering: steering, now: &now)
    session.finish(nil)
    precondition(receivers.allSatisfy { $0.closes == 1 }, "not closed exactly once")
}

private let fuzzPreface =
    Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + [0, 0, 0, 4, 0, 0, 0, 0, 0]

private func feed(
    _ bytes: ArraySlice<UInt8>, to session: HTTP2Session, steering: UInt8,
    now: inout NIODeadline
) {
    let size = Int(steering >> 3) == 0 ? bytes.count : Int(steering >> 3)
    var rest = bytes
    while !rest.isEmpty {
        session.receive(ByteBuffer(bytes: rest.prefix(size)), now: now)
        rest = rest.dropFirst(size)
        if steering & 2 != 0 && session.isDirty { _ = session.produce(limit: 1 << 14, now: now) }
        if steering & 4 != 0 {
            now = now + .milliseconds(500)
            session.tick(now: now)
        }
    }
}

extension HTTPConnectionContext {
    fileprivate static var fuzzing: HTTPConnectionContext {
        HTTPConnectionContext(
            eventLoop: MultiThreadedEventLoopGroup.singleton.any(), isSecure: false,
            remoteAddress: nil)
    }
}

/// Echoes bodies; counts. Used by one thread, from start to end of one harness call.
private final class FuzzService: HTTPService, @unchecked Sendable {
    var opened = 0
    var closed = 0

    func accept(
        _ head: HTTPRequestHead, _ stream: HTTPServerStream
    ) -> any HTTPServerStreamReceiver {
        opened += 1
        precondition(!head.method.isEmpty && !head.authority.isEmpty && !head.path.isEmpty)
        stream.send(HTTPResponseHead(status: 200, fields: head.fields), end: false)
        return FuzzEcho(stream, self)
    }
}

private final class FuzzEcho: HTTPServerStreamReceiver {
    private let stream: HTTPServerStream
    private let service: FuzzService
    private var isClosed = false
    private var isEnded = false

    init(_ stream: HTTPServerStream, _ service: FuzzService) {
        self.stream = stream
        self.service = service
    }

    func received(_ bytes: ByteBuffer) {
        precondition(!isClosed && !isEnded && bytes.readableBytes > 0)
        stream.consume(bytes.readableBytes)
        stream.send(bytes, end: false)
    }

    func receivedEnd(trailers: HTTPFields?) {
        precondition(!isClosed && !isEnded)
        isEnded = true
        stream.send(trailers: trailers ?? HTTPFields())
    }

    func closed(_ error: HTTPStreamError?) {
        precondition(!isClosed, "closed twice")
        isClosed = true
        service.closed += 1
    }
}

private final class FuzzReceiver: HTTPClientStreamReceiver {
    var stream: HTTPClientStream?
    var closes = 0
    private var hasHead = false
    private var isEnded = false

    func received(_ head: HTTPResponseHead) {
        precondition(closes == 0 && !hasHead && head.status >= 200)
        hasHead = true
    }

    func received(_ bytes: ByteBuffer) {
        precondition(closes == 0 && hasHead && !isEnded)
        stream?.consume(bytes.readableBytes)
    }

    func receivedEnd(trailers: HTTPFields?) {
        precondition(closes == 0 && hasHead && !isEnded)
        isEnded = true
    }

    func closed(_ error: HTTPStreamError?) {
        closes += 1
    }
}
