import HTTPTransport
import InferenceAPI
import NIOCore

/// A connection that reads a stream which was begun on another one. Owned by this connection's
/// loop; the stream may belong to another loop, which it asks for page after page, so that nothing
/// is queued for a client that does not read.
final class ResumedExchange: HTTPServerStreamReceiver {
    /// Most bytes that are asked for at once.
    static let pageBytes = 65_536

    private let stream: HTTPServerStream
    private let face: any RESTFace
    private let requestID: String
    private let core: GatewayCore
    private let owner: ConnectionLoopHandle
    private let streamID: String
    private let keepalive: TimeAmount
    /// Number of the last event that this client has.
    private var after: Int
    /// At the owner's; nil before it is known.
    private var reader: Int?
    private var isReading = false
    private var isOpen = true
    private var sentHead = false
    private var hasSentLately = false
    private var timer: RepeatedTask?

    init(
        _ stream: HTTPServerStream, face: any RESTFace, requestID: String, core: GatewayCore,
        owner: ConnectionLoopHandle, streamID: String, after: Int
    ) {
        self.stream = stream
        self.face = face
        self.requestID = requestID
        self.core = core
        self.owner = owner
        self.streamID = streamID
        self.after = after
        let limits = core.serving.current.configuration.limits
        keepalive = .milliseconds(Int64(limits.keepaliveIntervalMilliseconds))
        let bound = NIOLoopBound(self, eventLoop: stream.eventLoop)
        let loop = stream.eventLoop
        owner.perform { connectionLoop in
            let reader = connectionLoop.detachable[streamID]?.takeOver()
            loop.execute { bound.value.began(reader) }
        }
        guard keepalive.nanoseconds > 0 else { return }
        timer = loop.scheduleRepeatedTask(initialDelay: keepalive, delay: keepalive) { _ in
            bound.value.keepAlive()
        }
    }

    func received(_ bytes: ByteBuffer) {
        stream.consume(bytes.readableBytes)
    }

    func receivedEnd(trailers: HTTPFields?) {}

    func writabilityChanged(_ isWritable: Bool) {
        if isWritable { read() }
    }

    func closed(_ error: HTTPStreamError?) {
        close()
        guard let reader else { return }
        let id = streamID
        owner.perform { $0.detachable[id]?.readerLeft(reader) }
    }

    private func began(_ reader: Int?) {
        guard isOpen else {
            // Gone while the answer was under way.
            let id = streamID
            if let reader { owner.perform { $0.detachable[id]?.readerLeft(reader) } }
            return
        }
        guard let reader else { return fail(.streamGone) }
        self.reader = reader
        read()
    }

    private func read() {
        guard isOpen, !isReading, stream.isWritable, let reader else { return }
        isReading = true
        let bound = NIOLoopBound(self, eventLoop: stream.eventLoop)
        let (id, after, loop) = (streamID, after, stream.eventLoop)
        owner.perform { connectionLoop in
            guard let detachable = connectionLoop.detachable[id] else {
                return loop.execute { bound.value.received(.lost) }
            }
            detachable.read(after: after, by: reader, limitBytes: Self.pageBytes) { page in
                loop.execute { bound.value.received(page) }
            }
        }
    }

    private func received(_ page: StreamLog.Page) {
        guard isOpen else { return }
        isReading = false
        switch page {
        case .events(let events, let last):
            after = last
            sendHeadIfNeeded()
            hasSentLately = true
            stream.send(events, end: false)
            read()
        case .end:
            sendHeadIfNeeded()
            stream.send(ByteBuffer(), end: true)
            close()
        case .lost: fail(.streamGone)
        case .superseded:
            // Nobody listens here, as far as the client says.
            stream.reset(.cancel)
            close()
        }
    }

    private func keepAlive() {
        defer { hasSentLately = false }
        guard isOpen, sentHead, !hasSentLately, stream.isWritable else { return }
        // As `AnswerEncoder.keepalive`: without an empty line.
        stream.send(ByteBuffer(string: ": keepalive\n"), end: false)
    }

    private func fail(_ error: APIError) {
        core.metrics.refused(error)
        if sentHead {
            stream.reset(.internalError)
        } else {
            Answer.send(error, requestID: requestID, face: face, to: stream)
        }
        close()
    }

    private func close() {
        isOpen = false
        timer?.cancel()
        timer = nil
    }

    private func sendHeadIfNeeded() {
        guard !sentHead else { return }
        sentHead = true
        Answer.sendStreamHead(requestID: requestID, face: face, to: stream)
    }
}

extension APIError {
    static let streamGone = APIError(
        .resourceNotFound,
        "These events are not kept: the stream is unknown, was not asked to go on without its "
            + "client ('x-switchyard-background: true'), or ended too long ago.")
}
