import NIOCore
import NIOHTTP1
import NIOSSL
import NIOTLS

/// The client's end of an HTTP/1.1 pipeline: writes one request at a time and hands its response to
/// the stream. Owned by the connection's event loop; the last handler.
final class HTTP1ClientHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundIn = Never
    typealias OutboundOut = HTTPClientRequestPart

    let eventLoop: any EventLoop
    private let limits: HTTPLimits
    private let waitsForTLS: Bool
    /// Connected, the handshake included; called once.
    var onReady: (() -> Void)?
    /// A request has ended, and the connection takes another.
    var onIdle: (() -> Void)?
    /// Called once, after the stream's `closed`.
    var onClosed: ((HTTPStreamError) -> Void)?

    private var context: ChannelHandlerContext?
    private var stream: HTTP1ClientStream?
    /// The response's last byte is here, and the request's is not written yet.
    private var responseEnded = false
    private var hasHead = false
    private var keepsAlive = true
    private var hasPendingRead = false
    private var isReady = false
    /// Set when the connection is to end.
    private var failure: HTTPStreamError?
    private(set) var unsentBytes = 0

    init(eventLoop: any EventLoop, limits: HTTPLimits, waitsForTLS: Bool) {
        self.eventLoop = eventLoop
        self.limits = limits
        self.waitsForTLS = waitsForTLS
    }

    /// Connected, without a request, and the server has not said that it would close.
    var isIdle: Bool { isReady && stream == nil && keepsAlive && failure == nil }

    var isWritable: Bool { context?.channel.isWritable ?? false }

    // MARK: Requests

    func open(
        _ head: HTTPRequestHead, end: Bool, receiver: any HTTPClientStreamReceiver
    ) throws(HTTPStreamError) -> HTTP1ClientStream {
        guard let context else { throw .connectionClosed }
        guard isIdle else { throw .tooManyStreams }
        let stream = HTTP1ClientStream(handler: self, receiver: receiver)
        self.stream = stream
        (hasHead, responseEnded) = (false, false)
        var headers = HTTPHeaders()
        headers.add(name: "host", value: head.authority)
        for field in head.fields { headers.add(name: field.name, value: field.value) }
        let encoded = NIOHTTP1.HTTPRequestHead(
            version: .http1_1, method: .init(rawValue: head.method), uri: head.path,
            headers: headers)
        context.write(wrapOutboundOut(.head(encoded)), promise: nil)
        if end { self.end(nil, stream) }
        return stream
    }

    func send(_ body: ByteBuffer, end: Bool, on stream: HTTP1ClientStream) {
        guard let context, stream === self.stream, !stream.requestEnded else { return }
        guard unsentBytes < limits.outputHardLimitBytes else {
            return abandon(.outputLimitExceeded)
        }
        let count = body.readableBytes
        unsentBytes += count
        let written = eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { [self] _ in
            unsentBytes -= count
        }
        context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: written)
        if end { self.end(nil, stream) } else { context.flush() }
    }

    func send(trailers: HTTPFields, on stream: HTTP1ClientStream) {
        guard stream === self.stream, !stream.requestEnded else { return }
        var headers = HTTPHeaders()
        for field in trailers { headers.add(name: field.name, value: field.value) }
        end(headers, stream)
    }

    private func end(_ trailers: HTTPHeaders?, _ stream: HTTP1ClientStream) {
        stream.requestEnded = true
        context?.writeAndFlush(wrapOutboundOut(.end(trailers)), promise: nil)
        if responseEnded { finish() }
    }

    /// Ends the connection, and with it the request. The receiver is told in this loop turn, not
    /// inside this call.
    func abandon(_ error: HTTPStreamError) {
        guard failure == nil else { return }
        failure = error
        eventLoop.assumeIsolated().execute { self.closeNow() }
    }

    private func closeNow() {
        stream?.close(failure)
        stream = nil
        context?.close(promise: nil)
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        if !waitsForTLS { ready() }
        context.fireChannelActive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? TLSUserEvent, case .handshakeCompleted = event { ready() }
        context.fireUserInboundEventTriggered(event)
    }

    private func ready() {
        isReady = true
        onReady?()
        onReady = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard failure == nil, let stream else { return }
        switch unwrapInboundIn(data) {
        case .head(let head):
            // Informational heads are dropped by the parser; 101 was not asked for.
            guard head.status.code >= 200 else { return fail(.protocolViolation) }
            hasHead = true
            keepsAlive = head.isKeepAlive
            var fields = HTTPFields()
            fields.reserveCapacity(head.headers.count)
            for (name, value) in head.headers { fields.append(name.lowercased(), value) }
            stream.receiver?.received(
                HTTPResponseHead(status: Int(head.status.code), fields: fields))
        case .body(let bytes):
            stream.unconsumedBytes += bytes.readableBytes
            stream.receiver?.received(bytes)
        case .end(let trailers):
            responseEnded = true
            stream.receiver?.receivedEnd(
                trailers: trailers.map { trailers in
                    HTTPFields(trailers.map { HTTPField($0.name.lowercased(), $0.value) })
                })
            // A response that came before the request's end leaves the server in doubt of what
            // follows (RFC 9112 §9.3): such a connection is not used again.
            if !stream.requestEnded { keepsAlive = false }
            finish()
        }
    }

    private func finish() {
        guard let stream, failure == nil else { return }
        self.stream = nil
        stream.close(nil)
        guard failure == nil else { return }
        if keepsAlive { onIdle?() } else { context?.close(promise: nil) }
    }

    func read(context: ChannelHandlerContext) {
        if mayRead {
            context.read()
        } else {
            hasPendingRead = true
        }
    }

    private var mayRead: Bool {
        guard let stream else { return true }
        return stream.unconsumedBytes < limits.streamWindowBytes
    }

    func resumeReading() {
        guard hasPendingRead, mayRead else { return }
        hasPendingRead = false
        context?.read()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        stream?.receiver?.writabilityChanged(context.channel.isWritable)
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        let reason = failure ?? .connectionClosed
        failure = reason
        onReady = nil
        onIdle = nil
        let stream = stream
        self.stream = nil
        stream?.close(reason)
        let notify = onClosed
        onClosed = nil
        notify?(reason)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case HTTPParserError.invalidEOFState, HTTPParserError.closedConnection:
            fail(.connectionClosed)
        case HTTPParserError.headerOverflow:
            fail(.headersTooLarge)
        case is HTTPParserError:
            fail(.protocolViolation)
        case is NIOSSLError, is BoringSSLError, is NIOSSLExtraError:
            fail(isReady ? .connectionClosed : .connectFailed("\(error)"))
        default:
            fail(.connectionClosed)
        }
    }

    /// The connection can go on with nothing.
    private func fail(_ error: HTTPStreamError) {
        guard failure == nil else { return }
        failure = error
        closeNow()
    }

    func close() {
        abandon(.connectionClosed)
    }
}
