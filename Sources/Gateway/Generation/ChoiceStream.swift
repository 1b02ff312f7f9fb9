import Admission
import EngineProtocol
import GRPC
import InferenceAPI
import InferenceTypes
import Routing
import Tokenization

/// One choice of one request: a ticket at the dispatcher, then a call on a worker, whose tokens it
/// turns into text for its generation. What becomes of it when a worker is lost is decided by
/// `ChoiceFailover`; here it is done. Owned by the connection's loop.
///
/// A choice whose worker is lost goes on with another one: that one gets the prompt and the tokens
/// accepted so far as its prompt, and is told how many of them were generated, so that it samples
/// from the same (seed, position), counts the same tokens for penalties and replays them through
/// the grammar. What the text is made of (incomplete code points, what may begin a stop string)
/// stays here and is not touched. Nothing is accepted twice: a call that was lost is never heard
/// again.
final class ChoiceStream: TicketHolder, EngineStreamReceiver {
    let ticket: TicketID
    let index: Int
    private(set) var usage = Usage()
    /// Where it runs, or ran last.
    private(set) var worker: WorkerID?

    private var failover: ChoiceFailover
    /// Set while `failover` is running, but for the moment in which the call begins.
    private var call: EngineCall?
    /// The worker in hand tells how far the prefill is, by messages without tokens.
    private var hearsProgress = false
    /// Whether the worker in hand has sent anything; it is told to the dispatcher once.
    private var hasAnswered = false
    /// What the client is told if there is no other worker to go on with.
    private var lastFailure = GRPCStatus(.unavailable)
    /// Of the call with which it ended.
    private var lastFault: WorkerFault?
    /// Nil once ended, which breaks the cycle.
    private var generation: Generation?
    private let connectionLoop: ConnectionLoop
    private let pool: Pool
    private var answer: AnswerText
    /// Entries whose tokens' text is held back.
    private var logprobs: [TokenLogprob] = []
    /// Every token that a worker sent, in order.
    private var accepted: [TokenID] = []
    /// How many of them came from workers before this one.
    private var acceptedBefore = 0
    /// The client did not read as fast as this worker's tokens came.
    private var wasPaused = false
    /// Its worker has been told to wait for the client's reading, and is one that gives the slot
    /// to others meanwhile.
    private var isWaitingForReader = false
    private var mayPark = false
    private var isParked = false
    /// How many tokens can be paid for.
    private var leasedPositions = Int.max
    /// Of the call in hand, for the meter.
    private var callID = ""
    /// Tokens whose text was handed on.
    private var released = 0
    /// The text of one message; kept for its storage.
    private var text: [UInt8] = []

    init(
        ticket: TicketID, index: Int, generation: Generation, connectionLoop: ConnectionLoop,
        pool: Pool, text: AnswerText
    ) {
        self.ticket = ticket
        self.index = index
        self.generation = generation
        self.connectionLoop = connectionLoop
        self.pool = pool
        answer = text
        let limits = generation.limits
        failover = ChoiceFailover(
            limits: FailoverLimits(
                retryLimit: limits.retryLimit, resumeLimit: limits.resumeLimit),
            seed: ticket.number)
    }

    /// Tokens accepted from workers.
    var positions: Int { accepted.count }
    /// Those of them that went into no text: held back, or cut off by a stop string.
    var undelivered: Int { accepted.count - released }

    // MARK: Dispatcher

    func granted(_ worker: WorkerID, on link: PoolLink?) -> Bool {
        guard case .engine(let link)? = link, let engine = link.connection else { return false }
        start(on: engine, of: worker, link)
        return true
    }

    private func start(on engine: EngineConnection, of worker: WorkerID, _ link: WorkerLink) {
        guard let generation, let start = failover.granted() else { return }
        guard leasedPositions > accepted.count else {
            // Its last worker was lost behind the last token of its lease.
            _ = failover.evicted(over: nil)
            return connectionLoop.renewLease(ticket, positions: accepted.count, of: pool)
        }
        assert(start.resumedTokens == accepted.count, "resumes elsewhere than it stands")
        guard
            let request = generation.generationRequest(
                choice: index, attempt: start.attempt, generated: accepted,
                positionsMax: leasedPositions,
                // A `switchyard worker` can continue any answer exactly.
                isOurs: link.isOurs)
        else {
            _ = ended()
            return generation.choiceFailed(.notContinuable)
        }
        self.worker = worker
        acceptedBefore = accepted.count
        wasPaused = false
        mayPark = link.isOurs
        isWaitingForReader = false
        isParked = false
        hasAnswered = false
        hearsProgress = link.isOurs && accepted.isEmpty && generation.wantsProgress
        generation.choiceStarted(
            index, attempt: start.attempt, on: worker, address: link.endpoint.text)
        callID = request.id
        generation.callBegan(request, on: link)
        do {
            call = try engine.generate(
                request,
                metadata: generation.metadata(
                    choice: index, attempt: start.attempt, wantsProgress: hearsProgress),
                receiver: self)
        } catch {
            // Nothing was sent.
            generation.callSettled(callID)
            lost(error)
        }
    }

    func refused(_ refusal: Refusal, retryAfterMilliseconds: Int) {
        guard let generation = ended() else { return }
        generation.choiceFailed(APIError(refusal, retryAfterMilliseconds: retryAfterMilliseconds))
    }

    func stands(_ standing: RateStanding) {
        generation?.choiceStands(standing)
    }

    var asksPlace: Pool? {
        failover.state == .waiting && generation?.wantsProgress == true ? pool : nil
    }

    func waits(at place: TicketPlace) {
        guard failover.state == .waiting else { return }
        generation?.choiceProgressed(
            .queued(position: place.position, etaMilliseconds: place.etaMilliseconds))
    }

    func leased(positions: Int) {
        leasedPositions = positions
    }

    /// No further token can be paid for: the answer ends with the last one that could.
    func unaffordable() {
        guard accepted.isEmpty else { return stop(.budget) }
        ended()?.choiceFailed(.noBudget)
    }

    /// Its pool has ended. Before its first token another pool may serve the request.
    func poolRetired() {
        let isFresh = accepted.isEmpty
        guard let generation = ended() else { return }
        generation.poolRetired(isFresh: isFresh)
    }

    /// A failed call needed the retry budget, which is used up.
    func retryDenied() {
        guard failover.retryDenied(), let generation = ended() else { return }
        generation.choiceFailed(APIError(lastFailure))
    }

    /// Leaves its worker, which is being drained, for another one.
    func move() {
        guard let generation else { return }
        let action = failover.evicted(over: generation.finishReason(after: accepted, choice: index))
        guard action != .none else { return }
        // Not heard: `failover` no longer waits for this call.
        cancelCall()
        switch action {
        case .none: break
        case .finish(let reason): end(reason, generation)
        case .requeue(let isResumed):
            generation.attemptEnded(index, error: "drained")
            generation.choiceMoved(index, isResumed: isResumed)
            connectionLoop.requeue(ticket, isResumed ? .resume : .retry, to: pool)
        }
    }

    // MARK: Worker

    func received(_ tokens: EngineTokens) {
        guard let generation else { return }
        if hearsProgress, tokens.tokens.isEmpty {
            // Nothing that was achieved: a worker that dies now has brought the choice no further.
            generation.choiceProgressed(
                .prefill(computed: tokens.cachedTokens, total: tokens.promptTokens))
            return takeMore(generation)
        }
        guard failover.received(tokens: tokens.tokens.count) else { return }
        answered(cachedTokens: tokens.cachedTokens, generation)
        // Cached tokens are told by the first worker: a later one caches what was computed before.
        if accepted.isEmpty { usage.cachedTokens = tokens.cachedTokens }
        accepted += tokens.tokens
        usage.completionTokens = accepted.count
        if let entries = tokens.logprobs { logprobs += entries }
        guard answer.isPlain else {
            let advance = answer.append(tokens.tokens)
            emit(advance, to: generation)
            if advance.isComplete { return finish(.toolCalls) }
            if let stop = advance.stop { return finish(.stopString(generation.stopString(stop))) }
            return takeMore(generation)
        }
        text.removeAll(keepingCapacity: true)
        var released = 0
        for token in tokens.tokens {
            let advance = answer.assembler.append(token, to: &text)
            released += advance.releasedTokens
            guard let stop = advance.stop else { continue }
            emit(released: released, to: generation)
            return finish(.stopString(generation.stopString(stop)))
        }
        emit(released: released, to: generation)
        takeMore(generation)
    }

    private func takeMore(_ generation: Generation) {
        guard let call else { return }
        if generation.isWritable {
            call.consume()
        } else {
            wasPaused = true
            isWaitingForReader = true
        }
    }

    /// The client has not read for some time: others may have the slot.
    func readerIsSlow() {
        guard mayPark, isWaitingForReader, !isParked, call != nil else { return }
        setParked(true)
    }

    private func setParked(_ isParked: Bool) {
        self.isParked = isParked
        let ticket = ticket
        pool.dispatcher.perform { $0.setParked(ticket, isParked) }
    }

    func finished(_ finish: EngineFinish) {
        if finish.reason == .maxTokens, leaseEnded() { return }
        guard let generation, failover.finished() else { return }
        call = nil
        generation.callSettled(callID)
        answered(cachedTokens: finish.usage.cachedTokens, generation)
        if accepted.isEmpty { usage.cachedTokens = finish.usage.cachedTokens }
        end(finish.reason, generation)
    }

    /// The worker ended with the last token that was paid for, not with the answer's last: it goes
    /// on, on any worker, when there is money for more.
    private func leaseEnded() -> Bool {
        guard let generation, accepted.count >= leasedPositions, failover.state == .running,
            generation.finishReason(after: accepted, choice: index) == nil
        else { return false }
        call = nil
        generation.callSettled(callID)
        generation.attemptEnded(index)
        _ = failover.evicted(over: nil)
        connectionLoop.renewLease(ticket, positions: accepted.count, of: pool)
        return true
    }

    /// Ends the text, in which a stop string may still be found.
    private func end(_ reason: FinishReason, _ generation: Generation) {
        if let stop = flush(to: generation) {
            return finish(.stopString(generation.stopString(stop)))
        }
        switch reason {
        // The model had nothing more to say. A cut answer keeps its own reason.
        case .endOfSequence, .stopToken: finish(answer.calls > 0 ? .toolCalls : reason)
        default: finish(reason)
        }
    }

    func failed(_ status: GRPCStatus) {
        if !hasAnswered, status.origin == .peer, status.code == .resourceExhausted {
            // It was refused.
            generation?.callSettled(callID)
        }
        lost(status)
    }

    // MARK: Client

    /// The client reads again: the worker may go on.
    func clientReads() {
        isWaitingForReader = false
        if isParked { setParked(false) }
        call?.consume()
    }

    /// Nobody waits for this choice any more.
    func cancel() {
        _ = ended()
    }

    /// Ends generation where it stands, keeping what was generated.
    func stop(_ reason: FinishReason) {
        guard let generation else { return }
        _ = flush(to: generation)
        finish(reason)
    }

    // MARK: Private

    /// Puts out what was held back; the index of a stop string that only the end completes.
    private func flush(to generation: Generation) -> Int? {
        guard answer.isPlain else {
            let advance = answer.finish()
            emit(advance, to: generation)
            return advance.stop
        }
        text.removeAll(keepingCapacity: true)
        let advance = answer.assembler.finish(to: &text)
        emit(released: advance.releasedTokens, to: generation)
        return advance.stop
    }

    /// Hands on `text` and the log probabilities of the tokens whose text is now out.
    private func emit(released: Int, to generation: Generation) {
        self.released += released
        guard !generation.wantsLogprobs else {
            guard !text.isEmpty || released > 0 else { return }
            // Control tokens, such as the one that ends an answer, are no part of its text.
            let entries = logprobs.prefix(released).filter { !generation.isControl($0.token) }
            logprobs.removeFirst(min(released, logprobs.count))
            guard !text.isEmpty || !entries.isEmpty else { return generation.progressed() }
            return generation.received(text, logprobs: entries, choice: index)
        }
        guard !text.isEmpty else { return generation.progressed() }
        generation.received(text, logprobs: nil, choice: index)
    }

    /// Hands on what an answer that is not plain put out. Log probabilities are those of visible
    /// text.
    private func emit(_ advance: AnswerText.Advance, to generation: Generation) {
        released += advance.released.count
        usage.reasoningTokens = answer.reasoningTokens
        usage.completionTokens = accepted.count - usage.reasoningTokens
        var pieces = advance.pieces
        if generation.wantsLogprobs {
            let entries = zip(logprobs, advance.released)
                .filter { $1 && !generation.isControl($0.token) }.map { generation.entry($0.0) }
            logprobs.removeFirst(min(advance.released.count, logprobs.count))
            let place = pieces.lastIndex { if case .text = $0 { true } else { false } }
            if let place, case .text(let text, _) = pieces[place] {
                pieces[place] = .text(text, logprobs: entries)
            } else if !entries.isEmpty {
                pieces.insert(.text("", logprobs: entries), at: 0)
            }
        }
        guard !pieces.isEmpty else { return generation.progressed() }
        generation.received(pieces, choice: index)
    }

    private func finish(_ reason: FinishReason) {
        ended()?.choiceFinished(index, reason)
    }

    private func lost(_ status: GRPCStatus) {
        guard let generation else { return }
        let fault = WorkerFault(status)
        let action = failover.lost(
            fault, over: generation.finishReason(after: accepted, choice: index))
        guard action != .none else { return }
        call = nil
        generation.attemptEnded(index, error: status.code.name)
        switch action {
        case .none: break
        case .finish(let reason):
            lastFault = fault
            end(reason, generation)
        case .fail:
            lastFault = fault
            ended()?.choiceFailed(APIError(status))
        case .retry(let retry):
            lastFailure = status
            generation.choiceMoved(index, isResumed: retry.isResumed)
            connectionLoop.retry(ticket, retry, after: fault, in: pool)
        }
    }

    /// The worker serves: what it computed before its first token tells how fast it is, and that
    /// it answers at all closes its breaker. Told once.
    private func answered(cachedTokens: Int, _ generation: Generation) {
        guard !hasAnswered else { return }
        hasAnswered = true
        generation.choiceAnswered(index)
        let uncached = generation.promptTokens(ofChoice: index) + acceptedBefore - cachedTokens
        connectionLoop.firstToken(
            FirstToken(ticket: ticket, uncachedTokens: uncached), of: pool)
    }

    private func cancelCall() {
        // First, since `cancel` reports `failed` before it returns, and a call that has ended
        // ignores it.
        let cancelled = call
        call = nil
        cancelled?.cancel()
    }

    /// Ends the worker's call if it has not ended, gives the ticket back and lets go of the
    /// generation; nil when that has happened before.
    private func ended() -> Generation? {
        guard let generation else { return nil }
        if failover.end() { cancelCall() }
        generation.attemptEnded(index)
        self.generation = nil
        let summary = RunSummary(
            timedTokens: wasPaused ? 0 : accepted.count - acceptedBefore,
            generatedTokens: accepted.count, cachedTokens: usage.cachedTokens)
        connectionLoop.finish(ticket, summary, after: lastFault, of: pool)
        return generation
    }
}

extension WorkerFault {
    /// What a call's status says of the worker that it ran on.
    init(_ status: GRPCStatus) {
        switch status.code {
        case .unavailable:
            self = status.origin == .transport ? .lost : .leaving
        case .resourceExhausted:
            // A limit of our own is no worker's fault, and no other worker's either.
            self = status.origin == .local ? .rejected : .busy
        case .outOfRange: self = .contextFull
        case .internalError, .unknown, .aborted, .dataLoss: self = .failed
        // The other side reset the stream: it was cut off.
        case .cancelled: self = status.origin == .local ? .abandoned : .failed
        case .deadlineExceeded: self = .abandoned
        default: self = .rejected
        }
    }
}

extension APIError {
    static let noBudget = APIError(
        .budgetExhausted, "The budget of this key or its tenant is used up.")

    /// See `Resumption`.
    static let notContinuable = APIError(
        .workerLost,
        "The worker was lost, and the one at hand cannot continue an answer that has a seed, a "
            + "grammar or penalties.")

    init(_ refusal: Refusal, retryAfterMilliseconds milliseconds: Int) {
        switch refusal {
        case .queueFull(let limit):
            self.init(
                .queueFull, "All \(limit) places in the queue are taken; try again later.",
                retryAfterMilliseconds: milliseconds)
        case .waitedTooLong(let nanoseconds):
            self.init(
                .waitTooLong,
                "No slot became free within \(nanoseconds / 1_000_000_000) s; try again later.",
                retryAfterMilliseconds: milliseconds)
        case .wouldWaitTooLong(let nanoseconds, _):
            let seconds = Double(nanoseconds / 100_000_000) / 10
            self.init(
                .waitTooLong,
                "A slot would become free in about \(seconds) s, later than the request may wait.",
                retryAfterMilliseconds: milliseconds)
        case .shed:
            self.init(
                .waitTooLong, "The model is overloaded; try again later.",
                retryAfterMilliseconds: milliseconds)
        case .limited(let limit):
            let name = limit.kind.rawValue.replacing("_", with: " ")
            self.init(
                limit.kind == .concurrentRequests ? .concurrencyLimited : .rateLimited,
                "The \(limit.scope.name)'s limit of \(limit.limit) \(name) is reached.",
                retryAfterMilliseconds: milliseconds)
        case .noWorker:
            self.init(
                .noWorker, "No worker is ready; try again later.",
                retryAfterMilliseconds: milliseconds)
        case .deadlinePassed:
            self.init(.deadlineExceeded, "The request's deadline passed while it waited.")
        case .draining:
            self.init(.draining, "This gateway is shutting down; try another one.")
        }
    }

    /// What a worker's failure is to the client.
    init(_ status: GRPCStatus) {
        switch status.code {
        case .outOfRange:
            self.init(
                .contextLengthExceeded, "The messages are too long: \(status.message).",
                parameter: "messages")
        case .invalidArgument, .failedPrecondition:
            self.init(.invalidValue, status.message)
        case .resourceExhausted:
            self.init(.queueFull, "The worker's queue is full; try again later.")
        case .unavailable, .cancelled, .aborted:
            self.init(.workerLost, "The worker was lost while it served this request.")
        case .deadlineExceeded:
            self.init(.deadlineExceeded, "The request's deadline passed.")
        default:
            self.init(.workerFailed, "The worker failed: \(status.message)")
        }
    }
}
