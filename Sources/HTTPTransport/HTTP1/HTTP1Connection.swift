import NIOCore
import NIOHTTP1

/// One HTTP/1.1 connection: takes the parser's parts, runs one exchange at a time, and writes
/// responses itself. Owned by the connection's event loop; the only handler behind the parser.
///
/// ```
/// open ──refusal, last exchange, drain──► closing ──output written──► lingering ──► closed
///   └────────────── error, reset, time limit ────────────────────────────────────►┘
/// ```
/// Requests that arrive while one is served (pipelining) wait as parsed parts in `waiting`. No
/// more is read from the socket meanwhile, so one read's worth bounds them.
///
/// Everything that a service's call leads to (writes, `closed`) happens in `flush`, once per loop
/// turn and never inside of that call. `HTTP1Connection+Output.swift` has that half.
final class HTTP1Connection: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = Never
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum Phase {
        case open
        /// The output is being written; nothing more is served.
        case closing(lingers: Bool)
        /// The output is closed; the client's bytes are dropped until it closes too.
        case lingering
        case closed
    }

    /// What arrived and could not be handled yet.
    enum Waiting {
        case part(HTTPServerRequestPart)
        case refusal(HTTPRefusal)
    }

    let context: HTTPConnectionContext
    let limits: HTTPLimits
    private let service: any HTTPService
    private let refusalBody: HTTPRefusal.Body

    var channelContext: ChannelHandlerContext?
    private var decoder: ByteToMessageHandler<HTTPRequestDecoder>
    var phase = Phase.open
    /// The exchange that is served; also while the rest of its request is dropped after the end.
    var current: HTTP1Stream?
    var waiting = CircularBuffer<Waiting>()
    private var waitingHeads = 0
    /// More requests came than may wait: those after the last waiting one are lost.
    private var dropsInput = false
    private var isDraining = false
    private var discardedBytes = 0
    private var hasPendingRead = false
    /// When the first request's head must be complete.
    private let firstHeadDeadline: NIODeadline
    private var servedFirst = false

    var deadlines: HTTP1Deadlines
    var output = HTTP1Output()
    var date = HTTPDate()

    init(
        context: HTTPConnectionContext, limits: HTTPLimits, service: any HTTPService,
        refusal: @escaping HTTPRefusal.Body
    ) {
        self.context = context
        self.limits = limits
        self.service = service
        self.refusalBody = refusal
        decoder = Self.makeDecoder(limits)
        deadlines = HTTP1Deadlines(eventLoop: context.eventLoop)
        firstHeadDeadline = context.eventLoop.now + limits.headerTimeout
    }

    /// Adds the parser and this handler behind `position`.
    func addHandlers(
        to pipeline: ChannelPipeline.SynchronousOperations,
        position: ChannelPipeline.SynchronousOperations.Position = .last
    ) throws {
        try pipeline.addHandlers(
            [HTTP1ByteObserver(connection: self), decoder, self], position: position)
    }

    private static func makeDecoder(
        _ limits: HTTPLimits
    ) -> ByteToMessageHandler<HTTPRequestDecoder> {
        var sizes = NIOHTTPDecoderLimitConfiguration()
        sizes.maxHeaderFieldSize = limits.headerBytes
        sizes.maxHeaderListSize = limits.headerBytes
        sizes.maxHeaderFieldCount = limits.headerCount
        // After an upgrade request the parser stops; what follows is given to its successor.
        return ByteToMessageHandler(
            HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: sizes))
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        channelContext = context
        deadlines.onExpiry = { [unowned self] in self.expired($0) }
        // A client that sends nothing at all is closed without a word.
        deadlines.set(.idle, after: limits.headerTimeout)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        channelContext = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        ended(.connectionClosed)
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        receive(.part(unwrapInboundIn(data)))
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        flush()
    }

    func read(context: ChannelHandlerContext) {
        if mayRead {
            context.read()
        } else {
            hasPendingRead = true
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // With half-closure allowed a client's FIN arrives here. A client that has stopped
        // sending looks exactly like one that is gone, and generating tokens for nobody is the
        // greater evil.
        if let event = event as? ChannelEvent, event == .inputClosed {
            abandon(.connectionClosed)
        } else if event is HTTPDrainEvent {
            drain()
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case HTTPParserError.closedConnection, HTTPParserError.invalidEOFState:
            // Bytes after a last request are dropped; a cut request is told by channelInactive.
            return
        case HTTPParserError.headerOverflow:
            receive(.refusal(.headersTooLarge))
        case HTTPParserError.invalidVersion:
            receive(.refusal(.versionNotSupported))
        case is HTTPParserError:
            receive(.refusal(.malformed))
        case is ByteToMessageDecoderError:
            return
        default:
            // TLS or the socket failed.
            abandon(.connectionClosed)
        }
    }

    // MARK: Input

    /// Any bytes, before the parser sees them: a head begins.
    func sawBytes() {
        guard case .open = phase, current == nil, deadlines.reading == .idle else { return }
        let now = context.eventLoop.now
        deadlines.set(.head, after: servedFirst ? limits.headerTimeout : firstHeadDeadline - now)
    }

    private func receive(_ input: Waiting) {
        guard case .open = phase, !dropsInput else { return }
        if waiting.isEmpty, !startsExchange(input) || current == nil {
            handle(input)
            return
        }
        if case .part(.head) = input {
            guard waitingHeads < limits.pipelinedRequests else {
                dropsInput = true
                return
            }
            waitingHeads += 1
        }
        waiting.append(input)
    }

    /// Whether `input` belongs behind the exchange that is served.
    private func startsExchange(_ input: Waiting) -> Bool {
        switch input {
        case .part(.head): true
        case .part: false
        case .refusal: current?.requestEnded == true
        }
    }

    private func handle(_ input: Waiting) {
        switch input {
        case .part(.head(let head)): begin(head)
        case .part(.body(let bytes)): received(bytes)
        case .part(.end(let trailers)): receivedEnd(trailers)
        case .refusal(let refusal):
            fail(current == nil ? nil : .protocolViolation, refusal)
        }
    }

    private func begin(_ head: NIOHTTP1.HTTPRequestHead) {
        let request: HTTP1Request
        do throws(HTTPRefusal) {
            request = try HTTP1Request(head, isSecure: context.isSecure, limits: limits)
        } catch {
            fail(nil, error, target: head.uri)
            return
        }
        let stream = HTTP1Stream(connection: self, request: request)
        current = stream
        servedFirst = true
        discardedBytes = 0
        deadlines.clearReading()
        if request.body != .none { deadlines.set(.body, after: limits.bodyTimeout) }
        let receiver = service.accept(request.head, HTTPServerStream(stream))
        if !stream.isClosed { stream.receiver = receiver }
        if !stream.continues, stream.response == .waiting, output.abandoned == nil {
            stream.continues = true
            output.bytes.writeStaticString("HTTP/1.1 100 Continue\r\n\r\n")
            scheduleFlush()
        }
    }

    private func received(_ bytes: ByteBuffer) {
        guard let stream = current else { return }
        stream.bodyBytes += bytes.readableBytes
        if stream.isClosed {
            discardedBytes += bytes.readableBytes
            if discardedBytes > limits.discardedBodyBytes { beginClosing(lingers: true) }
            return
        }
        guard stream.bodyBytes <= limits.bodyBytes else {
            fail(.bodyTooLarge, .bodyTooLarge)
            return
        }
        stream.unconsumedBytes += bytes.readableBytes
        if deadlines.reading == .body { deadlines.set(.body, after: limits.bodyTimeout) }
        stream.receiver?.received(bytes)
    }

    private func receivedEnd(_ trailers: NIOHTTP1.HTTPHeaders?) {
        guard let stream = current else { return }
        stream.requestEnded = true
        deadlines.clearReading()
        if stream.request.stopsParser { replaceDecoder() }
        if stream.isClosed {
            finishExchange()
        } else {
            stream.receiver?.receivedEnd(trailers: trailers.flatMap(Self.trailerFields))
        }
    }

    /// Trailers may not change framing, routing or authority (RFC 9110 §6.5.1): what could is
    /// dropped.
    private static func trailerFields(_ headers: NIOHTTP1.HTTPHeaders) -> HTTPFields? {
        let banned: Set<String> = [
            "content-length", "transfer-encoding", "host", "authorization", "content-type",
            "content-encoding", "connection", "te", "trailer", "expect", "cookie",
        ]
        var fields = HTTPFields()
        for (name, value) in headers where !banned.contains(name.lowercased()) {
            fields.append(name.lowercased(), HTTP1Request.trimmed(value))
        }
        return fields.isEmpty ? nil : fields
    }

    /// Swaps the parser for a fresh one: after an upgrade request it parses no more. The new one
    /// stands behind the old one when that hands on the bytes it still held.
    private func replaceDecoder() {
        guard let pipeline = channelContext?.pipeline.syncOperations else { return }
        let old = decoder
        decoder = Self.makeDecoder(limits)
        do {
            try pipeline.addHandler(decoder, position: .after(old))
            _ = pipeline.removeHandler(old)
        } catch {
            abandon(.connectionClosed)
        }
    }

    // MARK: Back-pressure

    private var mayRead: Bool {
        guard case .open = phase else { return true }
        guard waiting.isEmpty, !dropsInput else { return false }
        guard let current, !current.requestEnded, !current.isClosed else { return true }
        return current.unconsumedBytes < limits.streamWindowBytes
    }

    func resumeReading() {
        guard hasPendingRead, mayRead, let channelContext else { return }
        hasPendingRead = false
        // While we did not read, the client could not send: its pause starts now.
        if deadlines.reading == .body { deadlines.set(.body, after: limits.bodyTimeout) }
        channelContext.read()
    }

    // MARK: Ends

    /// The response's last byte is written.
    func finishExchange() {
        guard let stream = current else { return }
        stream.close(nil)
        guard case .open = phase else { return }
        let goesOn = stream.keepsAlive && !isDraining
        guard stream.requestEnded else {
            // The answer came before the body's end: the rest is dropped, within a bound.
            if goesOn {
                deadlines.set(.body, after: limits.lingerTimeout)
                resumeReading()
            } else {
                beginClosing(lingers: true)
            }
            return
        }
        current = nil
        guard goesOn else {
            beginClosing(lingers: !waiting.isEmpty)
            return
        }
        deadlines.set(.idle, after: limits.idleTimeout)
        handleWaiting()
    }

    private func handleWaiting() {
        while case .open = phase, let next = waiting.first {
            if startsExchange(next), current != nil { break }
            waiting.removeFirst()
            if case .part(.head) = next { waitingHeads -= 1 }
            handle(next)
        }
        if waiting.isEmpty, dropsInput, current == nil, case .open = phase {
            beginClosing(lingers: true)
        }
        resumeReading()
    }

    /// Whether a response that begins now must tell the client that it is the last one.
    var isLastExchange: Bool { isDraining || (dropsInput && waitingHeads == 0) }

    /// Ends the current exchange with `error` and the connection with a refusal, if the client
    /// has seen nothing of another answer.
    ///
    /// - Parameter target: of a request that is refused before it is served.
    func fail(_ error: HTTPStreamError?, _ refusal: HTTPRefusal, target: String? = nil) {
        let stream = current
        let answers = stream == nil || stream?.response == .waiting
        if answers {
            writeRefusal(refusal, of: stream?.request.head, target: target)
        } else if stream?.response == .ended {
            // A whole answer is out; the request's rest is what is wrong.
        } else {
            // A response cut without its end is the only error an HTTP/1.1 client can see.
            abandon(error ?? .protocolViolation)
            return
        }
        stream?.close(error)
        current = nil
        waiting.removeAll()
        beginClosing(lingers: true)
    }

    /// - Parameter request: nil where it was not read.
    private func writeRefusal(
        _ refusal: HTTPRefusal, of request: HTTPRequestHead?, target: String?
    ) {
        let body = refusalBody(refusal, request?.path ?? target)
        var fields = body?.fields ?? HTTPFields()
        fields.append("content-length", "\(body?.bytes.readableBytes ?? 0)")
        if refusal == .unavailable { fields.append("retry-after", "1") }
        if refusal == .unsupportedMediaType {
            fields.append("accept-encoding", "gzip, deflate")  // RFC 9110 §15.5.16.
        }
        output.bytes.writeHTTP1Head(status: refusal.status, fields: fields) { buffer in
            buffer.writeHTTP1Field("date", date.now())
            buffer.writeStaticString("connection: close\r\n")
        }
        if let body, request?.method != "HEAD" { output.bytes.writeImmutableBuffer(body.bytes) }
    }

    /// Refuses the connection's first request unseen: the server is full.
    func refuseConnection() {
        fail(nil, .unavailable)
    }

    func beginClosing(lingers: Bool) {
        guard case .open = phase else { return }
        phase = .closing(lingers: lingers)
        waiting.removeAll()
        deadlines.clearReading()
        scheduleFlush()
    }

    /// Ends everything at once. The receiver is told in this loop turn, not inside this call.
    func abandon(_ error: HTTPStreamError) {
        guard output.abandoned == nil else { return }
        output.abandoned = error
        scheduleFlush()
    }

    /// The channel is closed, or about to be: nothing else happens on this connection.
    func ended(_ error: HTTPStreamError) {
        if case .closed = phase { return }
        phase = .closed
        deadlines.cancel()
        output.bytes.clear()
        waiting.removeAll()
        let stream = current
        current = nil
        stream?.close(error)
    }

    private func expired(_ deadline: HTTP1Deadlines.Kind) {
        switch deadline {
        case .idle:
            beginClosing(lingers: false)
        case .head:
            fail(nil, .timeout)
        case .body:
            guard let stream = current else { return }
            if stream.isClosed {
                beginClosing(lingers: false)
            } else if stream.response == .waiting, mayRead {
                fail(.timeout, .timeout)
            }
        case .linger:
            closeChannel()
        case .write:
            abandon(.timeout)
        }
        flush()
    }

    /// Serves what has begun, then closes.
    private func drain() {
        isDraining = true
        if current == nil, waiting.isEmpty { beginClosing(lingers: false) }
    }
}

/// Stands before the parser and tells the connection that bytes arrive: a slow head is one whose
/// first byte came long ago.
final class HTTP1ByteObserver: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let connection: HTTP1Connection

    init(connection: HTTP1Connection) {
        self.connection = connection
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        connection.sawBytes()
        context.fireChannelRead(data)
    }
}
