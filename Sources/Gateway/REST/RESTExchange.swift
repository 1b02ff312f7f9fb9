import HTTPTransport
import InferenceAPI
import InferenceTypes
import NIOCore

/// One request over HTTP and its answer: reads the body, has it generated, and writes what comes
/// out as its face wants it. Owned by the connection's loop.
///
/// The status is held back until the first token, or until the first keep-alive comment is due, so
/// that what fails early fails with its own status.
final class RESTExchange: HTTPServerStreamReceiver {
    private let head: HTTPRequestHead
    private let stream: HTTPServerStream
    private let face: any RESTFace
    private let connectionLoop: ConnectionLoop
    private let requestID: String
    /// Nil once ended, which breaks the cycle.
    private var generation: Generation?
    private var body = ByteBuffer()
    private var format: (any AnswerFormat)?
    /// The answer in the making: `encoder` for a stream, `collector` for a whole one.
    private var encoder: (any AnswerEncoder)?
    private var collector: CompletionCollector?
    private var answerHead: ChatResponseHead?
    private var request: ChatRequest?
    private var forwardedWhole: ByteBuffer?
    private var isForwarded = false
    private var hasBegun = false
    private var sentHead = false
    private var lastSent: Instant

    init(
        _ head: HTTPRequestHead, _ stream: HTTPServerStream, face: any RESTFace,
        context: GenerationContext, on connectionLoop: ConnectionLoop
    ) {
        self.head = head
        self.stream = stream
        self.face = face
        self.connectionLoop = connectionLoop
        requestID = context.requestID
        lastSent = context.arrival
        generation = Generation(context, receiver: self, on: connectionLoop)
    }

    // MARK: The request

    func received(_ bytes: ByteBuffer) {
        stream.consume(bytes.readableBytes)
        guard let generation, format == nil else { return }
        let limit = generation.limits.bodyLimitBytes
        guard body.readableBytes + bytes.readableBytes <= limit else {
            body = ByteBuffer()
            return generation.end(.failed(.bodyTooLarge(limit: limit)))
        }
        body.writeImmutableBuffer(bytes)
    }

    func receivedEnd(trailers: HTTPFields?) {
        let whole = body
        body = ByteBuffer()
        generation?.start(whole, face: face)
    }

    func closed(_ error: HTTPStreamError?) {
        generation?.end(.abandoned)
    }

    func writabilityChanged(_ isWritable: Bool) {
        if isWritable { generation?.receiverReads() }
    }

    // MARK: The answer

    private func send(_ bytes: ByteBuffer) {
        guard bytes.readableBytes > 0 else { return }
        sendHeadIfNeeded()
        lastSent = connectionLoop.core.clock()
        stream.send(bytes, end: false)
    }

    private func sendHeadIfNeeded() {
        guard !sentHead else { return }
        sentHead = true
        var fields: HTTPFields = [
            "content-type": "text/event-stream", "cache-control": "no-cache",
            "x-accel-buffering": "no",
        ]
        Answer.addRequestID(requestID, face, to: &fields)
        stream.send(HTTPResponseHead(status: 200, fields: fields), end: false)
    }

    /// Begins the stream's text with its first output.
    private func begin(into buffer: inout ByteBuffer) {
        guard !hasBegun else { return }
        hasBegun = true
        encoder?.begin(generation?.usage ?? Usage(), into: &buffer)
    }

    private func finish(_ usage: Usage) {
        if let whole = forwardedWhole {
            return Answer.send(
                whole, type: Answer.json, requestID: requestID, face: face, for: head, to: stream)
        }
        guard encoder != nil else {
            guard let collector, let answerHead, let format else {
                preconditionFailure("an exchange finished without an answer")
            }
            var body = ByteBuffer()
            format.write(collector.completion(answerHead, usage), into: &body)
            return Answer.send(
                body, type: Answer.json, requestID: requestID, face: face, for: head, to: stream)
        }
        var last = ByteBuffer()
        if isForwarded {
            // Its usage came as an event of the upstream's.
            last.writeStaticString("data: [DONE]\n\n")
        } else {
            begin(into: &last)
            encoder?.end(usage, into: &last)
        }
        sendHeadIfNeeded()
        stream.send(last, end: true)
    }

    private func fail(_ error: APIError) {
        guard sentHead else {
            return Answer.send(error, requestID: requestID, face: face, to: stream)
        }
        // Under a 200 already: an error event, and no good end.
        var bytes = ByteBuffer()
        encoder?.fail(error, into: &bytes)
        stream.send(bytes, end: true)
    }
}

// MARK: - What the generation reports

extension RESTExchange: GenerationReceiver {
    var isWritable: Bool { stream.isWritable }

    func prepared(_ request: PreparedRequest) -> Bool {
        self.request = request.chat
        format = request.format
        return true
    }

    func began(_ head: ChatResponseHead) {
        guard let format, let request else { return }
        answerHead = head
        if request.isStreaming {
            encoder = format.encoder(head)
        } else {
            collector = CompletionCollector(
                choiceCount: request.totalChoices,
                wantsLogprobs: request.sampling.topLogprobs != nil)
        }
    }

    func received(_ piece: AnswerPiece, choice: Int) {
        guard encoder != nil else {
            collector?.append(piece, choice: choice)
            return
        }
        var buffer = ByteBuffer()
        begin(into: &buffer)
        encoder?.write(
            piece, choice: choice, usage: generation?.usage ?? Usage(), into: &buffer)
        send(buffer)
    }

    func finished(_ reason: FinishReason, choice: Int) {
        guard encoder != nil else {
            collector?.finish(reason, choice: choice)
            return
        }
        var buffer = ByteBuffer()
        begin(into: &buffer)
        encoder?.finish(
            reason, choice: choice, usage: generation?.usage ?? Usage(), into: &buffer)
        send(buffer)
    }

    func forwarded(_ events: ByteBuffer) {
        isForwarded = true
        send(events)
    }

    func forwarded(whole: ByteBuffer) {
        forwardedWhole = whole
    }

    func tick(now: Instant) {
        guard let generation, let encoder, stream.isWritable else { return }
        let interval = Int64(generation.limits.keepaliveIntervalMilliseconds) * 1_000_000
        guard interval > 0, now.nanoseconds(since: lastSent) >= interval else { return }
        var comment = ByteBuffer()
        encoder.keepalive(into: &comment)
        send(comment)
    }

    func ended(_ end: GenerationEnd) {
        generation = nil
        switch end {
        case .finished(let usage): finish(usage)
        case .failed(let error): fail(error)
        case .abandoned: break
        }
    }
}
