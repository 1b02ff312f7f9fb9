import Admission
import HTTPTransport
import InferenceAPI
import InferenceTypes
import NIOCore
import Storage

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
    private let principal: Principal
    /// Nil once ended, which breaks the cycle.
    private var generation: Generation?
    /// Kept until it is known whether the request is run now or later.
    private var body = ByteBuffer()
    /// Of a request that is kept with its answer.
    private var keptBody: ByteBuffer?
    /// The answer to a request that runs later.
    private var acceptance = ByteBuffer()
    private let isBackground: Bool
    /// Once it is understood.
    private var request: FaceRequest?
    private var answer: PartialAnswer?
    private var forwardedWhole: ByteBuffer?
    private var isForwarded = false
    /// Of a stream's events.
    private var numbers: EventNumbers?
    /// Set when the client asked that its stream go on without it.
    private var detachable: DetachableStream?
    private var streamID = ""
    /// Where the caller stands with its limits; of the generation when that has ended.
    private var standing = RateStanding.unlimited
    /// How long preparation and the wait for a slot took, as far as is known; nanoseconds.
    private var timing: (prepared: Int64?, queued: Int64?)
    private var sentHead = false
    private var isOpen = true
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
        principal = context.caller.principal
        isBackground = context.isBackground
        lastSent = context.arrival
        generation = Generation(context, receiver: self, on: connectionLoop)
    }

    // MARK: The request

    func received(_ bytes: ByteBuffer) {
        stream.consume(bytes.readableBytes)
        guard let generation, request == nil else { return }
        let limit = generation.limits.bodyLimitBytes
        guard body.readableBytes + bytes.readableBytes <= limit else {
            body = ByteBuffer()
            return generation.end(.failed(.bodyTooLarge(limit: limit)))
        }
        body.writeImmutableBuffer(bytes)
    }

    func receivedEnd(trailers: HTTPFields?) {
        generation?.start(body, face: face)
    }

    func closed(_ error: HTTPStreamError?) {
        isOpen = false
        if let detachable {
            detachable.detach()
        } else if error == .timeout, sentHead {
            generation?.readerStalled()
        } else {
            generation?.end(.abandoned)
        }
    }

    func writabilityChanged(_ isWritable: Bool) {
        if isWritable { generation?.receiverReads() }
    }

    // MARK: The answer

    /// Sends events, each with its number, and keeps them where the client asked for that.
    private func sendEvents(end: Bool = false, _ write: (inout ByteBuffer) -> Void) {
        guard let events = numbers?.number(write) else { return }
        if events.readableBytes > 0 { detachable?.append(events) }
        guard isAttached, events.readableBytes > 0 || end else { return }
        sendHeadIfNeeded()
        lastSent = connectionLoop.core.clock()
        stream.send(events, end: end)
    }

    /// Whether what is sent can reach the client that asked.
    private var isAttached: Bool { isOpen && detachable?.isAttached != false }

    private func sendHeadIfNeeded() {
        guard !sentHead else { return }
        sentHead = true
        noteStanding()
        Answer.sendStreamHead(requestID: requestID, face: face, fields: fields, to: stream)
    }

    private func noteStanding() {
        guard let generation else { return }
        standing = generation.standing
        timing = (generation.preparedNanoseconds, generation.queuedNanoseconds)
    }

    /// What an answer's head says beside what each has. Durations as W3C's Server Timing has them.
    private var fields: HTTPFields {
        var fields = standing.fields
        let metrics = [("prepare", timing.prepared), ("queue", timing.queued)].compactMap {
            name, time in time.map { "\(name);dur=\(Self.milliseconds($0))" }
        }
        if !metrics.isEmpty { fields.append("server-timing", metrics.joined(separator: ", ")) }
        return fields
    }

    /// With three decimals.
    private static func milliseconds(_ nanoseconds: Int64) -> String {
        let (whole, rest) = (nanoseconds / 1_000).quotientAndRemainder(dividingBy: 1_000)
        return "\(whole).\(String(rest + 1_000).dropFirst())"
    }

    /// Before the first event: from here on the client has a number to come back with. False when
    /// the generation was ended, since there is no room.
    private func makeDetachable() -> Bool {
        guard isBackground || request?.chat.isBackground == true, detachable == nil,
            let generation, let answer
        else { return true }
        detachable = DetachableStream(
            id: streamID, answerID: answer.head.id, owner: principal.owner, generation: generation,
            on: connectionLoop)
        detachable?.onTakeOver = { [weak self] in self?.stream.reset(.cancel) }
        guard detachable == nil else { return true }
        let limit = generation.limits.resumableStreamsLimit
        generation.end(
            .failed(
                APIError(
                    .queueFull,
                    "All \(limit) places of streams that go on without their client are taken.")))
        return false
    }

    private func finish(_ usage: Usage) {
        // The client may have gone while the answer was stored.
        guard isOpen || detachable != nil else { return }
        if let whole = forwardedWhole { return send(whole: whole) }
        guard let answer else { preconditionFailure("an exchange finished without an answer") }
        guard answer.isStreaming else {
            var body = ByteBuffer()
            answer.format.write(answer.completion(usage), into: &body)
            return send(whole: body)
        }
        sendEvents(end: true) { last in
            if isForwarded {
                // Its usage came as an event of the upstream's.
                last.writeStaticString("data: [DONE]\n\n")
            } else {
                self.answer?.writeEnd(usage, into: &last)
            }
        }
        detachable?.finish()
    }

    private func send(whole body: ByteBuffer) {
        Answer.send(
            body, type: Answer.json, requestID: requestID, face: face, fields: fields, for: head,
            to: stream)
    }

    private func fail(_ error: APIError) {
        guard sentHead else {
            guard isOpen else { return }
            return Answer.send(
                error, requestID: requestID, face: face, fields: standing.fields, to: stream)
        }
        // Under a 200 already: an error event, and no good end.
        sendEvents(end: true) { answer?.write(error, into: &$0) }
        detachable?.finish()
    }
}

// MARK: - What the generation reports

extension RESTExchange: GenerationReceiver {
    var isWritable: Bool {
        guard let detachable else { return stream.isWritable }
        return detachable.isAttached ? stream.isWritable : detachable.log.hasRoom
    }

    func prepared(_ request: PreparedRequest) -> Bool {
        let whole = body
        body = ByteBuffer()
        let chat = request.chat
        self.request = FaceRequest(chat: chat, format: request.format)
        guard chat.isStreaming || !isBackground else {
            generation?.end(
                .failed(
                    APIError(
                        .invalidHeader, "Only a stream can go on without its client.",
                        parameter: "x-switchyard-background")))
            return false
        }
        if chat.isDeferred {
            accept(.deferred, whole, request)
            return false
        }
        if chat.isBackground, !chat.isStreaming, request.format is ResponsesFormat {
            accept(.background, whole, request)
            return false
        }
        if chat.isStored, connectionLoop.core.storage != nil { keptBody = whole }
        return true
    }

    func began(_ head: ChatResponseHead) {
        guard let request else { return }
        answer = PartialAnswer(request.chat, request.format, head, isKept: keptBody != nil)
        guard request.chat.isStreaming else { return }
        var generator = SystemRandomNumberGenerator()
        streamID = String(generator.next(), radix: 16)
        numbers = EventNumbers(stream: streamID)
    }

    func received(_ piece: AnswerPiece, choice: Int) {
        answer?.collect(piece, choice: choice)
        guard canStream() else { return }
        let usage = generation?.usage ?? Usage()
        sendEvents { answer?.write(piece, choice: choice, usage: usage, into: &$0) }
    }

    func finished(_ reason: FinishReason, choice: Int) {
        answer?.collect(reason, choice: choice)
        guard canStream() else { return }
        let usage = generation?.usage ?? Usage()
        sendEvents { answer?.write(reason, choice: choice, usage: usage, into: &$0) }
    }

    /// False for an answer that is sent as a whole, and for one that has just been ended since
    /// there is no room.
    private func canStream() -> Bool {
        guard let answer, answer.isStreaming else { return false }
        return answer.hasBegun || makeDetachable()
    }

    func forwarded(_ events: ByteBuffer) {
        guard isForwarded || makeDetachable() else { return }
        isForwarded = true
        sendEvents { $0.writeImmutableBuffer(events) }
    }

    func forwarded(whole: ByteBuffer) {
        forwardedWhole = whole
    }

    func tick(now: Instant) {
        guard let generation, let answer, answer.isStreaming, isAttached, stream.isWritable
        else { return }
        let interval = Int64(generation.limits.keepaliveIntervalMilliseconds) * 1_000_000
        guard interval > 0, now.nanoseconds(since: lastSent) >= interval else { return }
        var comment = ByteBuffer()
        answer.writeKeepalive(generation.progress, into: &comment)
        sendHeadIfNeeded()
        lastSent = now
        stream.send(comment, end: false)
    }

    func ended(_ end: GenerationEnd) {
        noteStanding()
        generation = nil
        switch end {
        case .finished(let usage): keepAndFinish(usage)
        case .failed(let error): fail(error)
        case .accepted: send(whole: acceptance)
        case .abandoned: break
        }
    }
}

// MARK: - What is kept

extension RESTExchange {
    /// The client sees the end only when the answer that it was told to be kept is.
    private func keepAndFinish(_ usage: Usage) {
        guard let keptBody, let answer, forwardedWhole == nil, !isForwarded,
            let storage = connectionLoop.core.storage
        else { return finish(usage) }
        let response = StoredResponse(
            answer.completion(usage), to: answer.request, body: keptBody, face: face,
            owner: principal.owner)
        let bound = NIOLoopBound(self, eventLoop: connectionLoop.eventLoop)
        storage.store(response, on: connectionLoop.eventLoop).whenSuccess { result in
            let exchange = bound.value
            switch result {
            case .success: exchange.finish(usage)
            case .failure(let error): exchange.fail(error)
            }
        }
    }

    /// The client hears of it only when nothing can lose it any more.
    private func accept(_ kind: Job.Kind, _ body: ByteBuffer, _ prepared: PreparedRequest) {
        guard let storage = connectionLoop.core.storage else {
            preconditionFailure("a request was accepted where nothing is kept")
        }
        do throws(APIError) {
            try principal.requireRetention()
        } catch {
            generation?.end(.failed(error))
            return
        }
        let tier = principal.granted(prepared.chat.serviceTier)
        let job = NewJob(
            kind, idPrefix: kind == .background ? prepared.format.idPrefix : "", body,
            prepared.chat, face: face, owner: principal.owner, tier: tier)
        if let format = prepared.format as? ResponsesFormat {
            let head = ChatResponseHead(
                id: job.id, created: UnixClock.seconds(), model: job.model, systemFingerprint: nil,
                serviceTier: tier)
            format.write(head, .queued, into: &acceptance)
        } else {
            acceptance.writeStaticString("{\"request_id\":")
            acceptance.writeJSONString(job.id)
            acceptance.writeStaticString("}")
        }
        let bound = NIOLoopBound(self, eventLoop: connectionLoop.eventLoop)
        storage.accept(job, on: connectionLoop.eventLoop).whenSuccess { result in
            switch result {
            case .success: bound.value.generation?.end(.accepted)
            case .failure(let error): bound.value.generation?.end(.failed(error))
            }
        }
    }
}
