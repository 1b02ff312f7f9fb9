import Admission
import EngineProtocol
import GRPC
import InferenceAPI
import InferenceTypes
import Routing

/// One request's embeddings on a worker: a ticket at the dispatcher, then a call for each input, a
/// few at a time. Owned by the connection's loop.
///
/// What is lost with its worker is asked of the next one (`ChoiceFailover`); vectors that came are
/// kept.
final class EmbeddingsWork: TicketHolder {
    /// Calls at once. A worker computes one input after the other; more than one keeps it busy.
    static let callsLimit = 4

    let ticket: TicketID
    private(set) var worker: WorkerID?

    private let prepared: PreparedEmbeddings
    private let connectionLoop: ConnectionLoop
    private let requestID: String
    /// Nil once ended, which breaks the cycle.
    private weak var exchange: EmbeddingsExchange?
    private var isOver = false
    private var failover: ChoiceFailover
    private var engine: EngineConnection?
    private var calls: [Int: EngineEmbedClientCall] = [:]
    private var vectors: [[Float]?]
    private var next = 0
    private var attempt = 0
    private var lastFailure = GRPCStatus(.unavailable)
    private var lastFault: WorkerFault?

    init(
        _ prepared: PreparedEmbeddings, requestID: String, exchange: EmbeddingsExchange,
        on connectionLoop: ConnectionLoop
    ) {
        self.prepared = prepared
        self.requestID = requestID
        self.exchange = exchange
        self.connectionLoop = connectionLoop
        ticket = connectionLoop.newTicket()
        vectors = Array(repeating: nil, count: prepared.prompts.count)
        let limits = connectionLoop.core.serving.current.configuration.limits
        failover = ChoiceFailover(
            limits: FailoverLimits(retryLimit: limits.retryLimit, resumeLimit: 0),
            seed: ticket.number)
    }

    // MARK: Dispatcher

    func granted(_ worker: WorkerID, on link: PoolLink?) -> Bool {
        guard case .engine(let link)? = link, let engine = link.connection else { return false }
        guard let exchange, let start = failover.granted() else { return true }
        self.worker = worker
        self.engine = engine
        attempt = start.attempt
        next = 0
        exchange.started(on: worker, attempt: attempt, address: link.endpoint.text)
        callMore()
        return true
    }

    func refused(_ refusal: Refusal, retryAfterMilliseconds: Int) {
        end()?.failed(APIError(refusal, retryAfterMilliseconds: retryAfterMilliseconds))
    }

    func stands(_ standing: RateStanding) {
        exchange?.stands(standing)
    }

    func leased(positions: Int) {}

    func unaffordable() {
        end()?.failed(.noBudget)
    }

    func poolRetired() {
        end()?.failed(
            APIError(.draining, "The model was replaced; ask again."))
    }

    func retryDenied() {
        guard failover.retryDenied() else { return }
        end()?.failed(Self.apiError(lastFailure))
    }

    func move() {
        guard case .requeue = failover.evicted(over: nil) else { return }
        cancelCalls()
        exchange?.left(error: "drained", waits: true)
        connectionLoop.requeue(ticket, .retry, to: prepared.pool)
    }

    // MARK: Worker

    private func callMore() {
        while failover.state == .running, calls.count < Self.callsLimit {
            while next < vectors.count, vectors[next] != nil { next += 1 }
            guard next < vectors.count else { return }
            let index = next
            next += 1
            call(index)
        }
    }

    private func call(_ index: Int) {
        guard let engine, let exchange else { return }
        let request = EngineEmbedRequest(
            id: attempt == 0 ? "\(requestID)-\(index)" : "\(requestID)-\(index)-\(attempt)",
            tokens: prepared.prompts[index], trace: exchange.traceContext)
        do {
            calls[index] = try engine.embed(request) { [weak self] in self?.answered(index, $0) }
        } catch {
            lost(error)
        }
    }

    private func answered(_ index: Int, _ result: Result<EngineEmbedding, GRPCStatus>) {
        calls[index] = nil
        guard failover.state == .running else { return }
        switch result {
        case .failure(let status): lost(status)
        case .success(let embedding):
            vectors[index] = embedding.vector
            guard vectors.contains(where: { $0 == nil }) else { return finish() }
            callMore()
        }
    }

    private func finish() {
        guard failover.finished(), let exchange = end() else { return }
        exchange.finished(vectors.compactMap { $0 })
    }

    private func lost(_ status: GRPCStatus) {
        let fault = WorkerFault(status)
        let action = failover.lost(fault, over: nil)
        guard action != .none else { return }
        cancelCalls()
        lastFailure = status
        switch action {
        case .none, .finish: break
        case .fail:
            lastFault = fault
            exchange?.left(error: status.code.name, waits: false)
            end()?.failed(Self.apiError(status))
        case .retry(let retry):
            exchange?.left(error: status.code.name, waits: true)
            connectionLoop.retry(ticket, retry, after: fault, in: prepared.pool)
        }
    }

    /// Nobody waits any more.
    func cancel() {
        _ = end()
    }

    private func cancelCalls() {
        engine = nil
        let open = calls
        calls.removeAll()
        for (_, call) in open { call.cancel() }
    }

    /// Ends what runs and gives the ticket back; nil when that has happened before.
    private func end() -> EmbeddingsExchange? {
        guard !isOver else { return nil }
        isOver = true
        _ = failover.end()
        cancelCalls()
        connectionLoop.finish(ticket, RunSummary(), after: lastFault, of: prepared.pool)
        return exchange
    }

    private static func apiError(_ status: GRPCStatus) -> APIError {
        switch status.code {
        case .outOfRange:
            APIError(
                .contextLengthExceeded, "The input is too long: \(status.message).",
                parameter: "input")
        case .unimplemented:
            APIError(.workerFailed, "The model's worker does not make embeddings.")
        default: APIError(status)
        }
    }
}
