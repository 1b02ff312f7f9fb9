import Admission
import EngineProtocol
import GRPC
import InferenceAPI
import InferenceTypes
import Tokenization

/// One choice of one request: a ticket at the dispatcher, then a call on a worker, whose tokens it
/// turns into text for its exchange. Owned by the connection's loop.
///
/// ```
///   waiting ──granted──► running ──finish, stop string, error──► ended
///      ▲                    │
///      └──── requeue ───────┘ the worker was lost
/// ```
///
/// A choice whose worker is lost goes on with another one: that one gets the prompt and the tokens
/// accepted so far as its prompt, and is told how many of them were generated, so that it samples
/// from the same (seed, position), counts the same tokens for penalties and replays them through
/// the grammar. What the text is made of (incomplete code points, what may begin a stop string)
/// stays here and is not touched. Nothing is accepted twice: a call that was lost is never heard
/// again.
final class ChoiceStream: EngineStreamReceiver {
    let ticket: TicketID
    let index: Int
    private(set) var usage = Usage()
    /// Where it runs, or ran last.
    private(set) var worker: WorkerID?

    private enum State {
        case waiting
        case running(EngineCall)
        case ended
    }

    private var state = State.waiting
    /// Nil once ended, which breaks the cycle.
    private var exchange: ChatExchange?
    private let connectionLoop: ConnectionLoop
    private let pool: Pool
    private var assembler: TextAssembler
    /// Entries whose tokens' text is held back by the assembler.
    private var logprobs: [TokenLogprob] = []
    /// Every token that a worker sent, in order.
    private var accepted: [TokenID] = []
    /// How many of them came from workers before this one.
    private var acceptedBefore = 0
    /// The client did not read as fast as this worker's tokens came.
    private var wasPaused = false
    /// Workers that this choice was started on.
    private var attempts = 0
    /// How often it was continued after its first token.
    private var resumes = 0
    /// Workers lost in a row that brought no token.
    private var fruitless = 0
    /// The text of one message; kept for its storage.
    private var text: [UInt8] = []

    init(
        ticket: TicketID, index: Int, exchange: ChatExchange, connectionLoop: ConnectionLoop,
        pool: Pool, assembler: TextAssembler
    ) {
        self.ticket = ticket
        self.index = index
        self.exchange = exchange
        self.connectionLoop = connectionLoop
        self.pool = pool
        self.assembler = assembler
    }

    // MARK: Dispatcher

    func start(on engine: EngineConnection, of worker: WorkerID) {
        guard case .waiting = state, let exchange else { return }
        self.worker = worker
        acceptedBefore = accepted.count
        wasPaused = false
        exchange.choiceStarted(on: worker)
        do {
            attempts += 1
            let call = try engine.generate(
                exchange.generationRequest(
                    choice: index, attempt: attempts - 1, generated: accepted),
                metadata: exchange.metadata(attempt: attempts - 1),
                receiver: self)
            state = .running(call)
        } catch {
            lost(GRPCStatus(.unavailable, "\(error)"))
        }
    }

    func refused(_ refusal: Refusal, retryAfterSeconds: Int) {
        guard let exchange = ended() else { return }
        exchange.choiceFailed(APIError(refusal, retryAfterSeconds: retryAfterSeconds))
    }

    /// Its pool has ended. Before its first token another pool may serve the request.
    func poolRetired() {
        let isFresh = accepted.isEmpty
        guard let exchange = ended() else { return }
        exchange.poolRetired(isFresh: isFresh)
    }

    /// Leaves its worker, which is being drained, for another one.
    func move() {
        guard case .running(let call) = state, let exchange else { return }
        // First, since `cancel` reports `failed` before it returns.
        state = .waiting
        call.cancel()
        if let reason = exchange.finishReason(after: accepted) { return end(reason, exchange) }
        requeue(exchange)
    }

    // MARK: Worker

    func received(_ tokens: EngineTokens) {
        guard case .running(let call) = state, let exchange else { return }
        // Cached tokens are told by the first worker: a later one caches what was computed before.
        if accepted.isEmpty { usage.cachedTokens = tokens.cachedTokens }
        fruitless = 0
        if accepted.count == acceptedBefore {
            let uncached = exchange.promptTokens + acceptedBefore - tokens.cachedTokens
            connectionLoop.firstToken(
                FirstToken(ticket: ticket, uncachedTokens: uncached), of: pool)
        }
        accepted += tokens.tokens
        usage.completionTokens = accepted.count
        if let entries = tokens.logprobs { logprobs += entries }
        text.removeAll(keepingCapacity: true)
        var released = 0
        for token in tokens.tokens {
            let advance = assembler.append(token, to: &text)
            released += advance.releasedTokens
            guard let stop = advance.stop else { continue }
            emit(released: released, to: exchange)
            return finish(.stopString(exchange.stopString(stop)))
        }
        emit(released: released, to: exchange)
        guard case .running = state else { return }
        if exchange.isWritable { call.consume() } else { wasPaused = true }
    }

    func finished(_ finish: EngineFinish) {
        guard case .running = state, let exchange else { return }
        if accepted.isEmpty { usage.cachedTokens = finish.usage.cachedTokens }
        end(finish.reason, exchange)
    }

    /// Ends the text, in which a stop string may still be found.
    private func end(_ reason: FinishReason, _ exchange: ChatExchange) {
        if let stop = flush(to: exchange) {
            self.finish(.stopString(exchange.stopString(stop)))
        } else {
            finish(reason)
        }
    }

    func failed(_ status: GRPCStatus) {
        guard case .running = state else { return }
        lost(status)
    }

    // MARK: Client

    /// The client reads again: the worker may go on.
    func clientReads() {
        guard case .running(let call) = state else { return }
        call.consume()
    }

    /// Nobody waits for this choice any more.
    func cancel() {
        _ = ended()
    }

    /// Ends generation where it stands, keeping what was generated.
    func stop(_ reason: FinishReason) {
        guard let exchange else { return }
        _ = flush(to: exchange)
        finish(reason)
    }

    // MARK: Private

    /// Puts out what was held back; the index of a stop string that only the end completes.
    private func flush(to exchange: ChatExchange) -> Int? {
        text.removeAll(keepingCapacity: true)
        let advance = assembler.finish(to: &text)
        emit(released: advance.releasedTokens, to: exchange)
        return advance.stop
    }

    /// Hands on `text` and the log probabilities of the tokens whose text is now out.
    private func emit(released: Int, to exchange: ChatExchange) {
        guard !exchange.wantsLogprobs else {
            guard !text.isEmpty || released > 0 else { return }
            // Control tokens, such as the one that ends an answer, are no part of its text.
            let entries = logprobs.prefix(released).filter { !exchange.isControl($0.token) }
            logprobs.removeFirst(min(released, logprobs.count))
            guard !text.isEmpty || !entries.isEmpty else { return exchange.progressed() }
            return exchange.delta(choice: index, text: text, logprobs: entries)
        }
        guard !text.isEmpty else { return exchange.progressed() }
        exchange.delta(choice: index, text: text, logprobs: nil)
    }

    private func finish(_ reason: FinishReason) {
        ended()?.choiceFinished(index, reason)
    }

    private func lost(_ status: GRPCStatus) {
        guard let exchange else { return }
        // The worker may have been lost after its last token and before it said so.
        if let reason = exchange.finishReason(after: accepted) { return end(reason, exchange) }
        // What was generated leaves no room on the worker that it would go on with.
        if status.code == .outOfRange, !accepted.isEmpty { return end(.contextFull, exchange) }
        let limits = exchange.limits
        let isFirst = accepted.isEmpty
        fruitless += 1
        guard Self.isLoss(status), fruitless <= limits.retryLimit,
            isFirst || resumes < limits.resumeLimit
        else {
            _ = ended()
            return exchange.choiceFailed(APIError(status))
        }
        if !isFirst { resumes += 1 }
        requeue(exchange)
    }

    private func requeue(_ exchange: ChatExchange) {
        state = .waiting
        exchange.choiceMoved(isResumed: !accepted.isEmpty)
        connectionLoop.requeue(ticket, accepted.isEmpty ? .retry : .resume, to: pool)
    }

    /// The worker is gone, or gives the request up: another one can serve it.
    private static func isLoss(_ status: GRPCStatus) -> Bool {
        switch status.code {
        case .unavailable, .aborted, .dataLoss: true
        default: false
        }
    }

    /// Ends the worker's call if it has not ended, gives the ticket back and lets go of the
    /// exchange; nil when that has happened before.
    private func ended() -> ChatExchange? {
        guard let exchange else { return nil }
        let before = state
        // First, since `cancel` reports `failed` before it returns, and a call that has ended
        // ignores it.
        state = .ended
        if case .running(let call) = before { call.cancel() }
        self.exchange = nil
        let summary = RunSummary(timedTokens: wasPaused ? 0 : accepted.count - acceptedBefore)
        connectionLoop.finish(ticket, summary, of: pool)
        return exchange
    }
}

extension APIError {
    init(_ refusal: Refusal, retryAfterSeconds: Int) {
        let milliseconds = retryAfterSeconds * 1_000
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
