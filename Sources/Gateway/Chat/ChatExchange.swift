import EngineProtocol
import Foundation
import HTTPTransport
import InferenceAPI
import InferenceTypes
import NIOCore
import Tokenization

/// How an exchange ended, for metrics and the access log.
enum ExchangeEnd: Sendable {
    case finished
    case failed(APIError)
    case clientClosed
}

/// One chat request and its answer, from the last byte of the head to the end of the stream. Owned
/// by the connection's loop.
///
/// ```
///   receiving ──end of body──► preparing ──► running ──all choices ended──► ended
///        └──────────────┴──────────────┴──error, client gone──────────────────┘
/// ```
///
/// The status is held back until the first token, or until the first keep-alive comment is due, so
/// that what fails early fails with its own status.
final class ChatExchange: HTTPServerStreamReceiver {
    private enum Phase {
        case receiving
        case preparing
        case running
        case ended
    }

    private let head: HTTPRequestHead
    private let stream: HTTPServerStream
    private let connectionLoop: ConnectionLoop
    let limits: ChatLimits
    private let requestID: String
    private let arrival: Instant
    /// From `x-slo-ttft-ms`: a request that has no worker by then is refused.
    private let firstTokenDeadline: Instant?

    private var phase = Phase.receiving
    private var body = ByteBuffer()
    private var prepared: PreparedChat?
    private var choices: [ChoiceStream] = []
    /// Instead of `prepared` and `choices`, for a pool whose workers take text.
    private var forwarded: (chat: ForwardedChat, choice: UpstreamChoice)?
    private var openChoices = 0
    private var answer: ChatAnswer?
    private var forwardedWhole: ByteBuffer?
    private var sentHead = false
    private var lastSent: Instant
    /// When the choices were submitted to the dispatcher.
    private var submitted: Instant
    private var firstToken: Instant?
    private var lastToken: Instant?
    /// When the first choice got a worker.
    private var started: Instant?
    private let keyName: String?
    private var finishReasons: [FinishReason] = []
    private var workers: [UInt32] = []
    private var retries = 0
    private var resumes = 0

    init(
        head: HTTPRequestHead, stream: HTTPServerStream, connectionLoop: ConnectionLoop,
        requestID: String,
        timeToFirstTokenMilliseconds: Int?, keyName: String?
    ) {
        self.keyName = keyName
        self.head = head
        self.stream = stream
        self.connectionLoop = connectionLoop
        limits = connectionLoop.core.serving.current.configuration.limits
        self.requestID = requestID
        let arrival = connectionLoop.core.clock()
        self.arrival = arrival
        self.lastSent = arrival
        self.submitted = arrival
        self.firstTokenDeadline = timeToFirstTokenMilliseconds.map {
            arrival.advanced(byNanoseconds: Int64($0) * 1_000_000)
        }
        connectionLoop.add(self)
        connectionLoop.core.metrics.requestStarted()
    }

    private var core: GatewayCore { connectionLoop.core }

    // MARK: The request

    func received(_ bytes: ByteBuffer) {
        stream.consume(bytes.readableBytes)
        guard phase == .receiving else { return }
        guard body.readableBytes + bytes.readableBytes <= limits.bodyLimitBytes else {
            body = ByteBuffer()
            let error = APIError(
                .payloadTooLarge, "The body is larger than \(limits.bodyLimitBytes) bytes.")
            return end(.failed(error))
        }
        body.writeImmutableBuffer(bytes)
    }

    func receivedEnd(trailers: HTTPFields?) {
        guard phase == .receiving else { return }
        guard connectionLoop.preparing < limits.preparationLimit else {
            let error = APIError(.queueFull, "Too many requests are being tokenized.")
            return end(.failed(error))
        }
        phase = .preparing
        connectionLoop.preparing += 1
        let bound = NIOLoopBound(self, eventLoop: stream.eventLoop)
        let caller = ChatCaller(
            tenant: keyName, conversation: RequestHeaders.conversationID(in: head))
        core.preparation.prepare(body, of: caller, on: stream.eventLoop).whenComplete { result in
            bound.value.preparationEnded(result)
        }
        body = ByteBuffer()
    }

    private func preparationEnded(
        _ result: Result<Result<PreparedRequest, APIError>, any Error>
    ) {
        connectionLoop.preparing -= 1
        guard phase == .preparing else { return }
        switch result {
        case .success(.success(.tokens(let prepared))):
            run(prepared)
        case .success(.success(.text(let chat))):
            run(chat)
        case .success(.failure(let error)):
            end(.failed(error))
        case .failure:
            // The pool is shut down only when the gateway stops.
            end(.failed(APIError(.draining, "This gateway is shutting down.")))
        }
    }

    private func run(_ prepared: PreparedChat) {
        self.prepared = prepared
        phase = .running
        let request = prepared.request
        answer = ChatAnswer(
            id: Self.newAnswerID(), created: UnixClock.seconds(),
            model: prepared.pool.model, pieces: prepared.tokenizer.vocabulary.pieces,
            request: request)
        choices = (0..<request.choiceCount).map { index in
            ChoiceStream(
                ticket: connectionLoop.newTicket(), index: index, exchange: self,
                connectionLoop: connectionLoop, pool: prepared.pool,
                assembler: TextAssembler(
                    pieces: prepared.tokenizer.vocabulary.pieces, stops: prepared.stops,
                    minimumTokens: prepared.sampling.minTokens))
        }
        openChoices = choices.count
        submitted = core.clock()
        connectionLoop.submit(
            choices,
            Submission(
                requestID: requestID, tickets: choices.map(\.ticket),
                tier: request.serviceTier ?? .standard, deadline: firstTokenDeadline,
                arrival: arrival, request: prepared.placement),
            to: prepared.pool)
    }

    private func run(_ chat: ForwardedChat) {
        phase = .running
        var fields: HTTPFields = ["x-request-id": requestID]
        for name in ["traceparent", "tracestate", "x-grok-conv-id", "x-session-id"] {
            if let value = head.fields[name] { fields.append(name, value) }
        }
        let choice = UpstreamChoice(
            ticket: connectionLoop.newTicket(), exchange: self, connectionLoop: connectionLoop,
            chat: chat, answerID: Self.newAnswerID(), fields: fields)
        forwarded = (chat, choice)
        submitted = core.clock()
        connectionLoop.submit(
            [choice],
            Submission(
                requestID: requestID, tickets: [choice.ticket],
                tier: chat.request.serviceTier ?? .standard, deadline: firstTokenDeadline,
                arrival: arrival, request: chat.placement),
            to: chat.pool)
    }

    /// The pool ended, since its model was swapped or unloaded. Requests that had no token yet are
    /// prepared anew, for the pool that serves their model's name now.
    func poolRetired(isFresh: Bool) {
        guard phase == .running else { return }
        guard isFresh, !sentTokens else {
            return end(.failed(APIError(.draining, "The model was unloaded.")))
        }
        if let chat = forwarded?.chat {
            forwarded = nil
            phase = .preparing
            connectionLoop.preparing += 1
            let bound = NIOLoopBound(self, eventLoop: stream.eventLoop)
            return core.preparation.prepare(
                chat.body, of: chat.caller, on: stream.eventLoop
            ).whenComplete { result in bound.value.preparationEnded(result) }
        }
        guard let prepared else { return }
        for choice in choices { choice.cancel() }
        choices.removeAll()
        finishReasons.removeAll()
        phase = .preparing
        connectionLoop.preparing += 1
        let bound = NIOLoopBound(self, eventLoop: stream.eventLoop)
        core.preparation.prepare(
            prepared.request, of: prepared.caller, on: stream.eventLoop
        ).whenComplete { result in bound.value.preparationEnded(result) }
    }

    // MARK: What choices ask

    var wantsLogprobs: Bool { prepared?.sampling.topLogprobs != nil }
    var isWritable: Bool { stream.isWritable }
    var promptTokens: Int { prepared?.prompt.count ?? 0 }

    func isControl(_ token: TokenID) -> Bool {
        prepared?.tokenizer.vocabulary.pieces.isControl(token) ?? false
    }

    func stopString(_ index: Int) -> String { prepared?.stops.strings[index] ?? "" }

    /// What a worker is asked for: the choice from its beginning, or from behind the tokens that
    /// earlier workers generated. Each attempt has an id of its own, since a worker that lost its
    /// gateway may still run the one before.
    /// What one of our workers, or another product's, must be asked; nil when that one cannot go on
    /// with what was generated.
    func generationRequest(
        choice: Int, attempt: Int, generated: [TokenID], isOurs: Bool
    ) -> GenerationRequest? {
        guard let prepared else { preconditionFailure("a choice runs before its preparation") }
        var sampling = prepared.sampling
        sampling.seed = prepared.seed(choice: choice)
        var request = GenerationRequest(
            id: attempt == 0
                ? "\(requestID)-\(choice)" : "\(requestID)-\(choice)-\(attempt)",
            prompt: prepared.prompt + generated, sampling: sampling)
        request.resumedTokens = generated.count
        request.prefixSalt = prepared.prefixSalt
        request.tier = prepared.request.serviceTier ?? .standard
        return isOurs
            ? request
            : Resumption.foreign(request, isSeedPromised: prepared.request.seed != nil)
    }

    /// Why a choice with these tokens is over; nil while it may go on. The worker's own rule
    /// (`Scheduler`), for when it could not say so any more.
    func finishReason(after tokens: [TokenID]) -> FinishReason? {
        guard let prepared, let last = tokens.last else { return nil }
        let sampling = prepared.sampling
        if tokens.count > sampling.minTokens {
            if !sampling.ignoreEndOfSequence, prepared.tokenizer.vocabulary.isEndOfGeneration(last)
            {
                return .endOfSequence
            }
            if sampling.stopTokens.contains(last) { return .stopToken(last) }
        }
        if let most = sampling.maxTokens, tokens.count >= most { return .maxTokens }
        return prepared.prompt.count + tokens.count >= prepared.tokenizer.contextTokens
            ? .contextFull : nil
    }

    func metadata(attempt: Int) -> EngineMetadata {
        EngineMetadata(deadlineMilliseconds: nil, attempt: attempt)
    }

    // MARK: What choices report

    /// A worker was found for a choice.
    func choiceStarted(on worker: WorkerID) {
        let now = core.clock()
        if started == nil { started = now }
        workers.append(worker.number)
        core.metrics.queueTime.observe(now.nanoseconds(since: submitted))
    }

    /// A choice goes to another worker, before its first token or, resumed, after it.
    func choiceMoved(isResumed: Bool) {
        if isResumed { resumes += 1 } else { retries += 1 }
        (isResumed ? core.metrics.resumes : core.metrics.retries).increment()
    }

    /// Tokens arrived whose text is held back.
    func progressed() {
        noteTokens()
    }

    /// More text of one choice.
    func delta(choice: Int, text: [UInt8], logprobs: [TokenLogprob]?) {
        noteTokens()
        guard let bytes = answer?.delta(choice: choice, text: text, logprobs: logprobs) else {
            return
        }
        send(bytes)
    }

    func choiceFinished(_ index: Int, _ reason: FinishReason) {
        guard phase == .running else { return }
        openChoices -= 1
        finishReasons.append(reason)
        core.metrics.choiceFinished(reason)
        if let bytes = answer?.finish(choice: index, reason: reason) { send(bytes) }
        guard openChoices == 0 else { return }
        end(.finished)
    }

    func choiceFailed(_ error: APIError) {
        end(.failed(error))
    }

    /// Events of an upstream, with our identity, for a stream.
    func forward(_ bytes: ByteBuffer) {
        send(bytes)
    }

    /// An upstream's answer is complete: `whole`, or all events of a stream.
    func forwardingFinished(whole: ByteBuffer?, reasons: [FinishReason]) {
        guard phase == .running else { return }
        finishReasons = reasons
        for reason in reasons { core.metrics.choiceFinished(reason) }
        forwardedWhole = whole
        end(.finished)
    }

    /// Some choice brought a token.
    private var sentTokens: Bool { firstToken != nil }

    private func noteTokens() {
        let now = core.clock()
        if let lastToken {
            core.metrics.interTokenLatency.observe(now.nanoseconds(since: lastToken))
        } else {
            firstToken = now
            core.metrics.timeToFirstToken.observe(now.nanoseconds(since: arrival))
        }
        lastToken = now
    }

    // MARK: Time

    /// Called a few times a second.
    func tick(now: Instant) {
        guard phase == .running else { return }
        let limit = Int64(limits.timeLimitSeconds) * 1_000_000_000
        if now.nanoseconds(since: arrival) >= limit {
            for choice in choices { choice.stop(.timeLimit) }
            forwarded?.choice.timeIsOver()
            return
        }
        forwarded?.choice.tick()
        guard phase == .running else { return }
        let interval = Int64(limits.keepaliveIntervalMilliseconds) * 1_000_000
        guard interval > 0, request?.isStreaming == true, stream.isWritable,
            now.nanoseconds(since: lastSent) >= interval
        else { return }
        send(ChatAnswer.keepalive)
    }

    // MARK: The answer

    func writabilityChanged(_ isWritable: Bool) {
        guard isWritable else { return }
        for choice in choices { choice.clientReads() }
        forwarded?.choice.clientReads()
    }

    private func send(_ bytes: ByteBuffer) {
        sendHeadIfNeeded()
        lastSent = core.clock()
        stream.send(bytes, end: false)
    }

    private func sendHeadIfNeeded() {
        guard !sentHead else { return }
        sentHead = true
        stream.send(
            HTTPResponseHead(
                status: 200,
                fields: [
                    "content-type": "text/event-stream", "cache-control": "no-cache",
                    "x-accel-buffering": "no", "x-request-id": requestID,
                ]), end: false)
    }

    func closed(_ error: HTTPStreamError?) {
        end(.clientClosed)
    }

    /// Ends the exchange once, whatever the reason, and frees everything that it holds.
    func end(_ end: ExchangeEnd) {
        guard phase != .ended else { return }
        phase = .ended
        connectionLoop.remove(self)
        let usage = self.usage
        for choice in choices { choice.cancel() }
        choices.removeAll()
        forwarded?.choice.cancel()
        switch end {
        case .finished: sendLast(usage)
        case .failed(let error): sendError(error)
        case .clientClosed: break
        }
        let nanoseconds = core.clock().nanoseconds(since: arrival)
        core.metrics.requestEnded(end, usage: usage, nanoseconds: nanoseconds)
        core.accessLog?.add(accessRecord(end, usage, nanoseconds: nanoseconds))
    }

    private func accessRecord(
        _ end: ExchangeEnd, _ usage: Usage, nanoseconds: Int64
    ) -> AccessRecord {
        func milliseconds(_ instant: Instant?, since start: Instant) -> Double? {
            instant.map { Double($0.nanoseconds(since: start)) / 1e6 }
        }
        let request = request
        var record = AccessRecord(
            time: Date().timeIntervalSince1970 - Double(nanoseconds) / 1e9, requestID: requestID,
            totalMilliseconds: Double(nanoseconds) / 1e6, status: 200)
        record.traceID = AccessRecord.traceID(of: head.fields["traceparent"])
        record.keyName = keyName
        record.tier = request.map { ($0.serviceTier ?? .standard).name }
        record.model = (prepared?.pool ?? forwarded?.chat.pool)?.model.name
        record.isStream = request?.isStreaming ?? false
        record.choices = request?.choiceCount ?? 0
        record.promptTokens = usage.promptTokens
        record.cachedTokens = usage.cachedTokens
        record.completionTokens = usage.completionTokens
        record.queueMilliseconds = milliseconds(started, since: submitted)
        record.firstTokenMilliseconds = milliseconds(firstToken, since: arrival)
        if let firstToken, usage.completionTokens > 1 {
            record.perTokenMilliseconds = milliseconds(lastToken, since: firstToken).map {
                $0 / Double(usage.completionTokens - 1)
            }
        }
        record.finishReasons = finishReasons.map(\.accessLogName)
        switch end {
        case .finished: break
        case .clientClosed: (record.status, record.error) = (499, "client_closed")
        case .failed(let error):
            (record.status, record.error) = (error.httpStatus, error.kind.rawValue)
        }
        record.workers = workers
        (record.retries, record.resumes) = (retries, resumes)
        return record
    }

    private static func newAnswerID() -> String {
        var generator = SystemRandomNumberGenerator()
        return Identifier.chatCompletion((generator.next(), generator.next()))
    }

    private var request: ChatRequest? { prepared?.request ?? forwarded?.chat.request }

    private var usage: Usage {
        if let forwarded { return forwarded.choice.usage }
        var total = Usage(
            promptTokens: prepared?.prompt.count ?? 0,
            cachedTokens: choices.map(\.usage.cachedTokens).max() ?? 0)
        for choice in choices { total.completionTokens += choice.usage.completionTokens }
        return total
    }

    private func sendLast(_ usage: Usage) {
        if forwarded != nil { return sendForwardedLast() }
        guard var answer else { preconditionFailure("an exchange finished without an answer") }
        if answer.isStreaming {
            sendHeadIfNeeded()
            return stream.send(answer.last(usage), end: true)
        }
        Answer.send(
            answer.whole(usage), type: Answer.json, requestID: requestID, for: head, to: stream)
    }

    private func sendForwardedLast() {
        if let whole = forwardedWhole {
            return Answer.send(
                whole, type: Answer.json, requestID: requestID, for: head, to: stream)
        }
        sendHeadIfNeeded()
        stream.send(ByteBuffer(string: "data: [DONE]\n\n"), end: true)
    }

    private func sendError(_ error: APIError) {
        guard sentHead else {
            return Answer.send(error, requestID: requestID, to: stream)
        }
        // Under a 200 already: an error event, and no `[DONE]`.
        var bytes = ByteBuffer()
        error.writeEvent(into: &bytes)
        stream.send(bytes, end: true)
    }
}

extension FinishReason {
    /// As clients are told, but for what no client hears of.
    fileprivate var accessLogName: String {
        switch self {
        case .endOfSequence, .stopToken, .stopString: "stop"
        case .maxTokens, .contextFull: "length"
        case .timeLimit: "time_limit"
        case .cancelled: "cancelled"
        }
    }
}
