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
///      └──── requeue ───────┘ the worker was lost before the first token
/// ```
final class ChoiceStream: EngineStreamReceiver {
    let ticket: TicketID
    let index: Int
    private(set) var usage = Usage()

    private enum State {
        case waiting
        case running(EngineCall)
        case ended
    }

    private var state = State.waiting
    /// Nil once ended, which breaks the cycle.
    private var exchange: ChatExchange?
    private let connectionLoop: ConnectionLoop
    private var assembler: TextAssembler
    /// Entries whose tokens' text is held back by the assembler.
    private var logprobs: [TokenLogprob] = []
    private var attempts = 0
    private var hasTokens = false
    /// The text of one message; kept for its storage.
    private var text: [UInt8] = []

    init(
        ticket: TicketID, index: Int, exchange: ChatExchange, connectionLoop: ConnectionLoop,
        assembler: TextAssembler
    ) {
        self.ticket = ticket
        self.index = index
        self.exchange = exchange
        self.connectionLoop = connectionLoop
        self.assembler = assembler
    }

    // MARK: Dispatcher

    func start(on engine: EngineConnection) {
        guard case .waiting = state, let exchange else { return }
        exchange.choiceStarted()
        do {
            let call = try engine.generate(
                exchange.generationRequest(choice: index),
                metadata: exchange.metadata(attempt: attempts),
                receiver: self)
            attempts += 1
            state = .running(call)
        } catch {
            attempts += 1
            lost(GRPCStatus(.unavailable, "\(error)"))
        }
    }

    func refused(_ refusal: Refusal, retryAfterSeconds: Int) {
        guard let exchange = ended() else { return }
        exchange.choiceFailed(APIError(refusal, retryAfterSeconds: retryAfterSeconds))
    }

    // MARK: Worker

    func received(_ tokens: EngineTokens) {
        guard case .running(let call) = state, let exchange else { return }
        hasTokens = true
        usage = Usage(
            promptTokens: tokens.promptTokens, cachedTokens: tokens.cachedTokens,
            completionTokens: tokens.completionTokens)
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
        if exchange.isWritable { call.consume() }
    }

    func finished(_ finish: EngineFinish) {
        guard case .running = state, let exchange else { return }
        usage = finish.usage
        if let stop = flush(to: exchange) {
            self.finish(.stopString(exchange.stopString(stop)))
        } else {
            self.finish(finish.reason)
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
        let mayRetry =
            !hasTokens && status.code == .unavailable
            && attempts <= connectionLoop.core.configuration.limits.retryLimit
        guard !mayRetry else {
            state = .waiting
            exchange.choiceRetried()
            return connectionLoop.requeue(ticket)
        }
        _ = ended()
        exchange.choiceFailed(APIError(status))
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
        connectionLoop.finish(ticket)
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
