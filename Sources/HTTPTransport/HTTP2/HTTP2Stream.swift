import NIOCore

/// One HTTP/2 stream of a server or client session. Owned by the connection's event loop.
///
/// ```
/// waiting ──(client: the peer's limit allows it)──► open ──► closed
///                                                    │ ▲
///                                         cut off: RST_STREAM queued
/// ```
/// `session` is nil in the last state only; every call is a no-op then.
final class HTTP2Stream {
    enum Receiver {
        case none
        case server(any HTTPServerStreamReceiver)
        case client(any HTTPClientStreamReceiver)
    }

    let connection: HTTPConnectionContext
    var session: HTTP2Session?
    /// 0 while a client's stream waits.
    var id: Int32
    /// Index in the session's slab; -1 while a client's stream waits.
    var slot: Int
    var receiver = Receiver.none
    /// A client's head that waits for the peer's limit.
    var waitingHead: HTTPRequestHead?

    // Our side.
    private(set) var output = ByteBuffer()
    private(set) var trailers: HTTPFields?
    /// The last byte (or the trailers) is queued.
    private(set) var isOutputEnded = false
    /// libnghttp2 does not ask for data until it is told that there is some.
    var isDeferred = false
    private(set) var isWritable = true
    /// END_STREAM was sent.
    var isLocalEnded = false
    /// When the answer was complete while the request was not (server). Its rest may come for
    /// `HTTPLimits.lingerTimeout`, within the window that is open; then the stream is reset.
    var answeredEarlyAt: NIODeadline?
    /// The final head is queued.
    private(set) var isHeadSent = false
    /// The answer has no body (HEAD, 204, 304): what is sent as body is dropped.
    private var dropsBody = false
    let isHeadRequest: Bool
    /// The request target (server).
    let path: String?

    // The peer's side.
    var isRemoteEnded = false
    var isResetByPeer = false
    /// The final response head has arrived (client).
    var hasResponseHead = false
    var receivedBytes = 0
    /// Received and not consumed.
    var unconsumedBytes = 0
    /// When the peer's body last made progress; for `HTTPLimits.bodyTimeout`.
    var progressAt: NIODeadline

    /// Why we cut the stream off; a RST_STREAM is queued or a refusal is being sent.
    private(set) var cutReason: HTTPStreamError?

    init(
        session: HTTP2Session, id: Int32, slot: Int, isHeadRequest: Bool = false,
        path: String? = nil, now: NIODeadline
    ) {
        connection = session.connection
        self.session = session
        self.id = id
        self.slot = slot
        self.isHeadRequest = isHeadRequest
        self.path = path
        progressAt = now
    }

    var unsentBytes: Int { output.readableBytes }

    // MARK: Sending

    func send(_ head: HTTPResponseHead, end: Bool) {
        guard let session, cutReason == nil else { return }
        if head.status < 200 {
            guard !isHeadSent, head.status >= 100, head.status != 101 else { return }
            session.submitInformational(head, on: self)
            return
        }
        assert(!isHeadSent, "a second final head on stream \(id)")
        guard !isHeadSent else { return }
        isHeadSent = true
        dropsBody = isHeadRequest || head.status == 204 || head.status == 304
        if end || dropsBody { isOutputEnded = true }
        session.submitResponse(head, on: self, end: isOutputEnded)
    }

    /// The request's head went out (client).
    func requestSubmitted(end: Bool) {
        isHeadSent = true
        if end { isOutputEnded = true }
    }

    func send(_ body: ByteBuffer, end: Bool) {
        guard let session, !isOutputEnded, cutReason == nil else { return }
        assert(isHeadSent || waitingHead != nil, "a body before its head on stream \(id)")
        let unsent = output.readableBytes
        guard unsent < session.limits.outputHardLimitBytes else {
            cutOff(.outputLimitExceeded, .internalError)
            return
        }
        append(body)
        isOutputEnded = end
        wake(session)
        if isWritable && output.readableBytes > session.limits.outputHighWatermarkBytes {
            isWritable = false
            notifyWritability()
        }
    }

    func send(trailers: HTTPFields) {
        guard let session, !isOutputEnded, cutReason == nil else { return }
        assert(isHeadSent || waitingHead != nil, "trailers before the head on stream \(id)")
        if !trailers.isEmpty { self.trailers = trailers }
        isOutputEnded = true
        wake(session)
    }

    private func append(_ body: ByteBuffer) {
        if output.readableBytes == 0 {
            // What waits from now on has not been waiting before.
            if let session { progressAt = max(progressAt, session.now) }
            output = body
            return
        }
        // A slow reader's buffer must not grow by what it has already read.
        if output.readerIndex > 16_384 && output.readerIndex > output.readableBytes {
            output.discardReadBytes()
        }
        var body = body
        output.writeBuffer(&body)
    }

    private func wake(_ session: HTTP2Session) {
        guard id != 0 else { return }
        if isDeferred {
            isDeferred = false
            session.resumeData(of: self)
        }
        session.markDirty()
    }

    /// Takes up to `count` bytes out of the queue, into a frame that is being written.
    func moveOutput(_ count: Int, into destination: inout ByteBuffer) {
        if count == output.readableBytes {
            destination.writeBuffer(&output)
            output = ByteBuffer()
        } else if var slice = output.readSlice(length: count) {
            destination.writeBuffer(&slice)
        }
    }

    /// After output left: tells the producer when there is room again.
    func outputMoved() {
        guard !isWritable, let session else { return }
        if output.readableBytes <= session.limits.outputLowWatermarkBytes {
            isWritable = true
            notifyWritability()
        }
    }

    func takeTrailers() -> HTTPFields? {
        defer { trailers = nil }
        return trailers
    }

    // MARK: Ending

    func reset(_ code: HTTP2ErrorCode) {
        cutOff(.resetLocally(code: code.rawValue), code)
    }

    /// Queues RST_STREAM and drops what was waiting. The receiver hears of it in `closed`.
    func cutOff(_ reason: HTTPStreamError, _ code: HTTP2ErrorCode) {
        guard let session, cutReason == nil else { return }
        cutReason = reason
        output = ByteBuffer()
        trailers = nil
        isOutputEnded = true
        session.submitReset(of: self, code)
    }

    /// Answers instead of the service, which hears of the end at once.
    func refuse(_ refusal: HTTPRefusal, _ reason: HTTPStreamError) {
        guard let session, cutReason == nil else { return }
        guard !isHeadSent else {
            cutOff(reason, .cancel)
            return
        }
        let abandoned = receiver
        receiver = .none
        session.submitRefusal(refusal, on: self)
        cutReason = reason
        isOutputEnded = true
        Self.close(abandoned, reason)
    }

    /// Puts a refusal's head and body in place of the service's.
    func prepareRefusal(body: ByteBuffer?) {
        isHeadSent = true
        dropsBody = isHeadRequest
        output = dropsBody ? ByteBuffer() : body ?? ByteBuffer()
        isOutputEnded = true
    }

    /// The stream is gone; the receiver's last call.
    func closed(_ error: HTTPStreamError?) {
        session = nil
        output = ByteBuffer()
        trailers = nil
        waitingHead = nil
        let last = receiver
        receiver = .none
        Self.close(last, error)
    }

    private static func close(_ receiver: Receiver, _ error: HTTPStreamError?) {
        switch receiver {
        case .none: break
        case .server(let receiver): receiver.closed(error)
        case .client(let receiver): receiver.closed(error)
        }
    }

    // MARK: Receiving

    func consume(_ bytes: Int) {
        let count = min(bytes, unconsumedBytes)
        guard let session, count > 0 else { return }
        unconsumedBytes -= count
        session.consume(count, on: self)
    }

    func deliver(_ bytes: ByteBuffer) {
        switch receiver {
        case .none: break
        case .server(let receiver): receiver.received(bytes)
        case .client(let receiver): receiver.received(bytes)
        }
    }

    func deliverEnd(trailers: HTTPFields?) {
        switch receiver {
        case .none: break
        case .server(let receiver): receiver.receivedEnd(trailers: trailers)
        case .client(let receiver): receiver.receivedEnd(trailers: trailers)
        }
    }

    private func notifyWritability() {
        switch receiver {
        case .none: break
        case .server(let receiver): receiver.writabilityChanged(isWritable)
        case .client(let receiver): receiver.writabilityChanged(isWritable)
        }
    }
}
