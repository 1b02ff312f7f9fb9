import Admission
import HTTPTransport
import InferenceAPI
import InferenceTypes
import NIOCore
import Routing

/// One request of a pool whose workers take text, all its choices together: a ticket at the
/// dispatcher, then a call at an upstream, whose answer goes to the client with its identity
/// replaced. Owned by the connection's loop.
///
/// What becomes of it when an upstream is lost is decided by `ChoiceFailover`; here it is done.
///
/// Until the first token nothing reaches the client, so that another upstream can begin anew; after
/// it a lost upstream is the stream's end, since text cannot be resumed elsewhere.
final class UpstreamChoice: TicketHolder, UpstreamCallReceiver {
    /// Bytes of chunks before the first token (roles) that are held back; more counts as a token.
    static let heldBytesLimit = 1 << 20

    let ticket: TicketID
    /// Where it runs, or ran last.
    private(set) var worker: WorkerID?

    private var failover: ChoiceFailover
    /// Set while `failover` is running, but for the moment in which the call begins.
    private var call: UpstreamCall?
    /// What the client is told if nobody else can be tried.
    private var lastFailure = UpstreamFailure.lost("it never answered")
    /// Of the call with which it ended.
    private var lastFault: WorkerFault?
    /// Nil once ended, which breaks the cycle.
    private var generation: Generation?
    private let connectionLoop: ConnectionLoop
    private let chat: ForwardedChat
    private let head: ForwardedHead
    private let fields: HTTPFields
    /// Of this attempt; not yet sent.
    private var held = ByteBuffer()
    private var hasOutput = false
    private var unfinished: Set<Int>
    private var reasons: [(choice: Int, reason: FinishReason)] = []
    /// Nil where the answer is the upstream's own.
    private var translation: TranslatedAnswer?
    private var reportedUsage: Usage?
    private var outputPieces = 0
    /// The client did not read as fast as the answer came.
    private var wasPaused = false
    init(
        ticket: TicketID, generation: Generation, connectionLoop: ConnectionLoop,
        chat: ForwardedChat, answerID: String, fields: HTTPFields
    ) {
        self.ticket = ticket
        self.generation = generation
        self.connectionLoop = connectionLoop
        self.chat = chat
        self.fields = fields
        let model = chat.pool.model
        head = ForwardedHead(
            id: answerID, model: model.name, systemFingerprint: model.fingerprint)
        unfinished = Set(0..<chat.request.choiceCount)
        let limits = generation.limits
        failover = ChoiceFailover(
            limits: FailoverLimits(
                retryLimit: limits.retryLimit, resumeLimit: 0, busyLimit: limits.retryLimit),
            seed: ticket.number)
    }

    private var isStreaming: Bool { chat.request.isStreaming }

    /// What the upstream counted; without that, an estimate: a token for each piece.
    var usage: Usage { reportedUsage ?? Usage(completionTokens: outputPieces) }

    // MARK: Dispatcher

    func granted(_ worker: WorkerID, on link: PoolLink?) -> Bool {
        guard case .upstream(let link)? = link, link.isUp else { return false }
        guard let generation, let start = failover.granted() else { return true }
        self.worker = worker
        generation.choiceStarted(
            0, attempt: start.attempt, on: worker, address: link.address.endpoint.text)
        forget()
        var fields = fields
        for field in generation.traceFields(choice: 0) { fields.append(field.name, field.value) }
        let call = UpstreamCall(
            UpstreamCall.Request(
                request: chat.forwarded, isStreaming: isStreaming,
                choiceCount: chat.request.choiceCount, fields: fields),
            over: link, receiver: self)
        // It may have failed already.
        if failover.state == .running { self.call = call }
        return true
    }

    func refused(_ refusal: Refusal, retryAfterMilliseconds: Int) {
        ended()?.choiceFailed(APIError(refusal, retryAfterMilliseconds: retryAfterMilliseconds))
    }

    func stands(_ standing: RateStanding) {
        generation?.choiceStands(standing)
    }

    func leased(positions: Int) {}

    func unaffordable() {
        ended()?.choiceFailed(.noBudget)
    }

    func poolRetired() {
        ended()?.poolRetired(isFresh: !hasOutput)
    }

    func retryDenied() {
        guard failover.retryDenied() else { return }
        ended()?.choiceFailed(lastFailure.apiError)
    }

    /// Its worker is being drained and its time there is over.
    func move() {
        guard let generation, failover.state == .running else { return }
        guard !(isStreaming && hasOutput) else {
            return failed(.lost("it was drained"))
        }
        cancelCall()
        guard case .requeue = failover.evicted(over: nil) else { return }
        forget()
        generation.attemptEnded(0, error: "drained")
        generation.choiceMoved(0, isResumed: false)
        connectionLoop.requeue(ticket, .retry, to: chat.pool)
    }

    // MARK: Upstream

    func received(_ answer: ForwardedAnswer, isMultiLine: Bool) {
        guard let generation, failover.state == .running else { return }
        if let usage = answer.usage { reportedUsage = usage }
        outputPieces += answer.outputPieces
        for finish in answer.finishes where unfinished.remove(finish.index) != nil {
            reasons.append((finish.index, FinishReason(chatName: finish.reason)))
        }
        guard translation == nil else { return translate(answer, for: generation) }
        let includesUsage = !isStreaming || chat.request.includesUsage
        if answer.isUsageOnly, !includesUsage { return }
        if isStreaming { held.writeStaticString("data: ") }
        answer.write(head, includesUsage: includesUsage, joinsLines: isMultiLine, into: &held)
        if isStreaming { held.writeStaticString("\n\n") }
        guard hasOutput || answer.hasOutput || held.readableBytes > Self.heldBytesLimit else {
            return
        }
        noteOutput(answer, generation)
        guard isStreaming else { return }
        sendHeld(to: generation)
    }

    private func noteOutput(_ answer: ForwardedAnswer, _ generation: Generation) {
        let isFirst = !hasOutput
        hasOutput = true
        if isFirst {
            generation.choiceAnswered(0)
            connectionLoop.firstToken(
                FirstToken(
                    ticket: ticket,
                    uncachedTokens: isStreaming ? chat.placement.promptTokens : nil),
                of: chat.pool)
        }
        if isFirst || answer.hasOutput { generation.progressed() }
    }

    /// For a face of other words than the upstream's.
    private func translate(_ answer: ForwardedAnswer, for generation: Generation) {
        guard hasOutput || answer.hasOutput else { return }
        do throws(TranslatedAnswer.Failure) {
            let pieces = try translation?.take(answer) ?? []
            noteOutput(answer, generation)
            generation.translated(pieces)
        } catch {
            return failed(.failed("the upstream's answer is \(error)"))
        }
        guard isStreaming, failover.state == .running else { return }
        if !generation.isWritable { wasPaused = true }
        call?.setPaused(!generation.isWritable)
    }

    func finished() {
        guard let generation, failover.state == .running else { return }
        if isStreaming { sendHeld(to: generation) }
        guard failover.finished() else { return }
        call = nil
        end(whole: isStreaming ? nil : held)
    }

    private func end(whole: ByteBuffer?) {
        let generation = ended()
        if chat.isTranslated {
            generation?.translationFinished(reasons)
        } else {
            generation?.forwardingFinished(whole: whole, reasons: reasons.map(\.reason))
        }
    }

    func failed(_ failure: UpstreamFailure) {
        guard let generation, failover.state == .running else { return }
        connectionLoop.core.logger.debug(
            "upstream failed",
            metadata: ["worker": "\(worker?.number ?? 0)", "reason": "\(failure.reason)"])
        generation.attemptEnded(0, error: failure.word)
        if isStreaming, hasOutput {
            lastFault = failure.fault
            // Cut before it was whole, whatever the reason, unless it is the request's own.
            let isOwn = failure.fault == .rejected
            ended()?.choiceFailed(isOwn ? failure.apiError : UpstreamFailure.cut("").apiError)
            return
        }
        switch failover.lost(failure.fault, over: nil) {
        case .none: break
        case .finish, .fail:
            lastFault = failure.fault
            end(failure)
        case .retry(let retry):
            call = nil
            lastFailure = failure
            forget()
            generation.choiceMoved(0, isResumed: false)
            connectionLoop.retry(ticket, retry, after: failure.fault, in: chat.pool)
        }
    }

    private func end(_ failure: UpstreamFailure) {
        ended()?.choiceFailed(failure.apiError)
    }

    /// What the attempt before brought is not the next one's.
    private func forget() {
        held.clear()
        hasOutput = false
        unfinished = Set(0..<chat.request.choiceCount)
        reasons = []
        translation = newTranslation
        reportedUsage = nil
        outputPieces = 0
    }

    private var newTranslation: TranslatedAnswer? {
        guard chat.isTranslated else { return nil }
        return TranslatedAnswer(
            choiceCount: chat.request.choiceCount,
            wantsLogprobs: chat.request.sampling.topLogprobs != nil)
    }

    private func sendHeld(to generation: Generation) {
        guard held.readableBytes > 0 else { return }
        generation.forward(held)
        held = ByteBuffer()
        if !generation.isWritable { wasPaused = true }
        call?.setPaused(!generation.isWritable)
    }

    // MARK: Client

    /// The client reads again: the upstream may go on.
    func clientReads() {
        call?.setPaused(false)
    }

    /// Nobody waits for the answer any more.
    func cancel() {
        _ = ended()
    }

    func tick() {
        call?.tick()
    }

    /// The request has run for as long as it may: a stream ends where it stands, with `length`.
    func timeIsOver() {
        guard let generation else { return }
        guard isStreaming, hasOutput else {
            return end(.rejected(APIError(.deadlineExceeded, "The request's time is over.")))
        }
        guard !chat.isTranslated else {
            for index in unfinished.sorted() { reasons.append((index, .timeLimit)) }
            return end(whole: nil)
        }
        var encoder = ChatStreamEncoder(
            head: ChatResponseHead(
                id: head.id, created: UnixClock.seconds(), model: head.model,
                systemFingerprint: head.systemFingerprint,
                serviceTier: chat.request.serviceTier ?? .standard),
            choiceCount: chat.request.choiceCount)
        for index in unfinished.sorted() {
            encoder.writeFinish(.timeLimit, choice: index, into: &held)
            reasons.append((index, .timeLimit))
        }
        sendHeld(to: generation)
        end(whole: nil)
    }

    private func cancelCall() {
        let cancelled = call
        call = nil
        cancelled?.cancel()
    }

    /// Ends the call if it has not ended, gives the ticket back and lets go of the generation; nil
    /// when that has happened before.
    private func ended() -> Generation? {
        guard let generation else { return nil }
        if failover.end() { cancelCall() }
        generation.attemptEnded(0)
        self.generation = nil
        let summary = RunSummary(
            timedTokens: wasPaused ? 0 : outputPieces, generatedTokens: usage.completionTokens,
            cachedTokens: usage.cachedTokens)
        connectionLoop.finish(ticket, summary, after: lastFault, of: chat.pool)
        return generation
    }
}

extension FinishReason {
    /// The nearest of ours to a chat completion's word; words that we have no like of are `stop`.
    fileprivate init(chatName: String) {
        switch chatName {
        case "length": self = .maxTokens
        case "tool_calls", "function_call": self = .toolCalls
        default: self = .endOfSequence
        }
    }
}
