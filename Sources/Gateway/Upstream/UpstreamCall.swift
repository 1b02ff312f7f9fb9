import HTTPTransport
import InferenceAPI
import InferenceTypes
import NIOCore

/// What a call tells; on its loop. Exactly one of `finished` and `failed`, last.
protocol UpstreamCallReceiver: AnyObject {
    /// A chunk of a stream, or a whole answer.
    func received(_ answer: ForwardedAnswer, isMultiLine: Bool)
    func finished()
    func failed(_ failure: UpstreamFailure)
}

/// One chat request at one upstream: sends it, and reads what comes back. Owned by the connection
/// loop.
///
/// ```
///   connecting ──► waiting for the head ──► stream of events ──[DONE]──► over
///                         │       └───────► whole body ──end───────────► over
///                         └──── other status: error body ──end─────────► over
/// ```
///
/// A stream that ends without `[DONE]` is a failure, unless every choice said that it ended. Bytes
/// are consumed as the client reads, so that a slow client stops the upstream.
final class UpstreamCall: HTTPClientStreamReceiver {
    static let userAgent = "switchyard"
    /// Largest body of an error that is looked at.
    static let errorBytesLimit = 64 << 10
    /// How long the rest of an answer may take after its last word; then its connection is closed.
    static let lingerTime = TimeAmount.seconds(5)

    /// What is asked.
    struct Request {
        var request: ForwardedRequest
        var isStreaming: Bool
        var choiceCount: Int
        /// Passed on as they are: request id, trace, conversation.
        var fields: HTTPFields
    }

    private enum Phase {
        case waiting
        case events(EventStreamParser)
        case whole(ByteBuffer)
        case error(status: Int, fields: HTTPFields, body: ByteBuffer)
        /// The receiver knows the end; the rest of the answer is dropped.
        case over
    }

    private let request: Request
    private let link: UpstreamLink
    private let material: UpstreamAccess.Material
    /// Until the end, which breaks the cycle.
    private var receiver: (any UpstreamCallReceiver)?
    private var phase = Phase.waiting
    private var stream: HTTPClientStream?
    private var isReused = false
    /// Received, and to be consumed when the client reads.
    private var owedBytes = 0
    private var isPaused = false
    private var finishedChoices: Set<Int> = []
    private var hasOutput = false
    private var lastActivity: NIODeadline
    private var linger: Scheduled<Void>?

    init(_ request: Request, over link: UpstreamLink, receiver: any UpstreamCallReceiver) {
        self.request = request
        self.link = link
        self.receiver = receiver
        material = link.access.current
        lastActivity = link.eventLoop.now
        link.began(self)
        connect(isFresh: false)
    }

    private var isOver: Bool {
        if case .over = phase { true } else { false }
    }

    // MARK: Sending

    private func connect(isFresh: Bool) {
        link.connections.connect(isFresh: isFresh, tls: material.tls(for: link.address)) { result in
            switch result {
            case .success(let connection): self.send(over: connection)
            case .failure(let error):
                guard !self.isOver else { return }
                self.link.connectionFailed()
                self.fail(.lost("no connection: \(error)"))
            }
        }
    }

    private func send(over connection: UpstreamConnection) {
        guard !isOver else { return connection.giveBack() }
        isReused = connection.isReused
        let body = request.request.body(model: link.modelName)
        var head = HTTPRequestHead(
            method: "POST", authority: link.address.authority,
            path: link.address.basePath + "/v1/chat/completions")
        head.fields.append("content-type", "application/json")
        head.fields.append("content-length", "\(body.readableBytes)")
        head.fields.append("accept", request.isStreaming ? "text/event-stream" : "application/json")
        head.fields.append("user-agent", Self.userAgent)
        if let authorization = link.authorization {
            head.fields.append("authorization", authorization)
        }
        for field in request.fields { head.fields.append(field.name, field.value) }
        do {
            let stream = try connection.open(head, end: false, receiver: self)
            self.stream = stream
            stream.send(body, end: true)
        } catch {
            fail(.lost("\(error)"))
        }
    }

    /// Nobody waits for the answer: the upstream is told by a reset, and stops.
    func cancel() {
        guard !isOver else { return }
        end()
        stream?.reset()
    }

    // MARK: Receiving

    func received(_ head: HTTPResponseHead) {
        lastActivity = link.eventLoop.now
        guard !isOver else { return }
        if let coding = head.fields["content-encoding"], coding.lowercased() != "identity" {
            return fail(.failed("its answer is coded, which was not asked for"))
        }
        let type = head.fields["content-type"]?.prefix { $0 != ";" }.lowercased() ?? ""
        if head.status != 200 {
            phase = .error(status: head.status, fields: head.fields, body: ByteBuffer())
        } else if request.isStreaming, type.contains("event-stream") {
            phase = .events(
                EventStreamParser(limitBytes: material.settings.answerBytesLimit))
        } else {
            phase = .whole(ByteBuffer())
        }
    }

    func received(_ bytes: ByteBuffer) {
        lastActivity = link.eventLoop.now
        switch phase {
        case .waiting, .over:
            stream?.consume(bytes.readableBytes)
        case .events(var parser):
            parser.append(bytes)
            // Not in two places, so that its input is not copied.
            phase = .waiting
            read(&parser)
            if case .waiting = phase { phase = .events(parser) }
            consume(bytes.readableBytes)
        case .whole(var body):
            stream?.consume(bytes.readableBytes)
            phase = .waiting
            guard
                body.readableBytes + bytes.readableBytes <= material.settings.answerBytesLimit
            else { return fail(.failed("its answer is too long")) }
            body.writeImmutableBuffer(bytes)
            phase = .whole(body)
        case .error(let status, let fields, var body):
            stream?.consume(bytes.readableBytes)
            let room = Self.errorBytesLimit - body.readableBytes
            if let part = bytes.getSlice(
                at: bytes.readerIndex, length: min(room, bytes.readableBytes))
            {
                body.writeImmutableBuffer(part)
            }
            phase = .error(status: status, fields: fields, body: body)
        }
    }

    private func consume(_ bytes: Int) {
        owedBytes += bytes
        guard !isPaused else { return }
        let owed = owedBytes
        owedBytes = 0
        stream?.consume(owed)
    }

    /// Whether the client reads.
    func setPaused(_ isPaused: Bool) {
        guard isPaused != self.isPaused else { return }
        self.isPaused = isPaused
        lastActivity = link.eventLoop.now
        if !isPaused { consume(0) }
    }

    private func read(_ parser: inout EventStreamParser) {
        do {
            while !isOver, let event = try parser.next() {
                if event.isDone { return finish() }
                take(event)
            }
        } catch {
            fail(.failed("an event of its stream is too long"))
        }
    }

    private func take(_ event: ServerSentEvent) {
        do {
            if event.type == "error" {
                let error = UpstreamError.decode(ByteBuffer(bytes: event.data))
                return fail(error.map { UpstreamFailure($0) } ?? .failed("an error event"))
            }
            deliver(try ForwardedAnswer(event.data), isMultiLine: event.isMultiLine)
        } catch {
            fail(.failed("an event of its stream is no chunk"))
        }
    }

    private func deliver(_ answer: ForwardedAnswer, isMultiLine: Bool) {
        if let error = answer.error { return fail(UpstreamFailure(error)) }
        for finish in answer.finishes { finishedChoices.insert(finish.index) }
        if answer.hasOutput { hasOutput = true }
        receiver?.received(answer, isMultiLine: isMultiLine)
    }

    func receivedEnd(trailers: HTTPFields?) {
        switch phase {
        case .over: break
        case .waiting: fail(.cut("its answer has no head"))
        case .events:
            // Its last word was said, if not in these letters.
            if finishedChoices.count >= request.choiceCount {
                finish()
            } else {
                fail(.cut("its stream ends in the middle"))
            }
        case .whole(let body): takeWhole(body)
        case .error(let status, let fields, let body):
            fail(
                UpstreamFailure(
                    status: status, fields: fields, error: UpstreamError.decode(body)))
        }
    }

    private func takeWhole(_ body: ByteBuffer) {
        do {
            let answer = try ForwardedAnswer(Array(body.readableBytesView))
            guard answer.error != nil || (answer.hasChoices && !request.isStreaming) else {
                return fail(.failed("its answer is none"))
            }
            deliver(answer, isMultiLine: false)
            if !isOver { finish() }
        } catch {
            fail(.failed("its answer is not JSON"))
        }
    }

    func closed(_ error: HTTPStreamError?) {
        stream = nil
        linger?.cancel()
        linger = nil
        guard !isOver else { return }
        if isReused, case .waiting = phase {
            // The server closed the connection as this request was on its way to it (RFC 9112
            // §9.3.1): it has not been looked at.
            return connect(isFresh: true)
        }
        switch error {
        case .connectionClosed?:
            link.connectionFailed()
            fail(.lost("the connection broke"))
        case .goneAway?, .timeout?: fail(.lost("\(String(describing: error))"))
        default: fail(.cut(error.map { "\($0)" } ?? "its answer has no end"))
        }
    }

    // MARK: Ends

    /// Called a few times a second: gives up what has been silent for too long.
    func tick() {
        guard !isOver, !isPaused, request.isStreaming else { return }
        let limit = TimeAmount.seconds(Int64(material.settings.silenceSeconds))
        guard link.eventLoop.now - lastActivity > limit else { return }
        fail(.lost("it sent nothing for \(material.settings.silenceSeconds) s"))
    }

    /// The upstream does not answer any more, or is not to be used.
    func giveUp(_ reason: String) {
        fail(.lost(reason))
    }

    /// Its health is not answered: what has no token yet goes on elsewhere; what streams may.
    func upstreamIsSilent() {
        if !hasOutput { giveUp("it does not answer") }
    }

    private func finish() {
        guard !isOver else { return }
        let receiver = receiver
        end()
        if stream != nil {
            // The connection serves again when the answer's end has come.
            isPaused = false
            consume(0)
            linger = link.eventLoop.assumeIsolated().scheduleTask(in: Self.lingerTime) {
                self.stream?.reset()
            }
        }
        receiver?.finished()
    }

    private func fail(_ failure: UpstreamFailure) {
        guard !isOver else { return }
        let receiver = receiver
        end()
        stream?.reset()
        receiver?.failed(failure)
    }

    private func end() {
        phase = .over
        receiver = nil
        link.ended(self)
    }
}
