import Admission
import Foundation
import HTTPTransport
import InferenceAPI
import InferenceTypes
import NIOCore
import Routing

/// `POST /v1/embeddings`: reads the body, has its inputs embedded and answers as a whole. Owned by
/// the connection's loop.
final class EmbeddingsExchange: HTTPServerStreamReceiver, ConnectionWork {
    private let head: HTTPRequestHead
    private let stream: HTTPServerStream
    private let context: GenerationContext
    private let connectionLoop: ConnectionLoop
    private let limits: ChatLimits
    private let trace: RequestTrace?
    private var body = ByteBuffer()
    /// Where the caller stands with its limits.
    private var standing = RateStanding.unlimited
    private var isOver = false
    private var isPreparing = false
    private var prepared: PreparedEmbeddings?
    private var work: EmbeddingsWork?
    private var submitted: Instant
    private var started: Instant?
    /// Nil where nothing is metered.
    private var meter: RequestMeter?
    private var workers: [UInt32] = []

    init(
        _ head: HTTPRequestHead, _ stream: HTTPServerStream, context: GenerationContext,
        on connectionLoop: ConnectionLoop
    ) {
        self.head = head
        self.stream = stream
        self.context = context
        self.connectionLoop = connectionLoop
        let core = connectionLoop.core
        limits = core.serving.current.configuration.limits
        trace = RequestTrace(
            core.tracer, parent: context.parent, arrival: context.arrival, now: core.clock())
        submitted = context.arrival
        connectionLoop.add(self)
        core.metrics.requestStarted()
    }

    private var core: GatewayCore { connectionLoop.core }

    // MARK: The request

    func received(_ bytes: ByteBuffer) {
        stream.consume(bytes.readableBytes)
        guard !isOver else { return }
        guard body.readableBytes + bytes.readableBytes <= limits.bodyLimitBytes else {
            return end(.failed(.bodyTooLarge(limit: limits.bodyLimitBytes)))
        }
        body.writeImmutableBuffer(bytes)
    }

    func receivedEnd(trailers: HTTPFields?) {
        guard !isOver else { return }
        guard connectionLoop.preparing < limits.preparationLimit else {
            return end(.failed(APIError(.queueFull, "Too many requests are being tokenized.")))
        }
        connectionLoop.preparing += 1
        trace?.preparationBegan(at: core.clock())
        let bound = NIOLoopBound(self, eventLoop: connectionLoop.eventLoop)
        core.preparation.prepareEmbeddings(
            body, of: context.caller, on: connectionLoop.eventLoop
        ).whenComplete { bound.value.preparationEnded($0) }
        body = ByteBuffer()
    }

    private func preparationEnded(
        _ result: Result<Result<PreparedEmbeddings, APIError>, any Error>
    ) {
        connectionLoop.preparing -= 1
        guard !isOver else { return }
        trace?.preparationEnded(at: core.clock())
        switch result {
        case .success(.success(let prepared)): run(prepared)
        case .success(.failure(let error)): end(.failed(error))
        case .failure:
            // The pool is shut down only when the gateway stops.
            end(.failed(APIError.shuttingDown))
        }
    }

    private func run(_ prepared: PreparedEmbeddings) {
        if let meter = core.meter {
            guard !meter.isFull else { return end(.failed(.unrecordedUse)) }
            self.meter = RequestMeter(meter, usageID: nil, account: context.account)
            self.meter?.prices(model: prepared.pool.model.name, tier: grantedTier)
        }
        self.prepared = prepared
        submitted = core.clock()
        trace?.choiceWaits(0, since: submitted)
        let work = EmbeddingsWork(
            prepared, requestID: context.requestID, exchange: self, on: connectionLoop)
        self.work = work
        meter?.submitted([work.ticket])
        connectionLoop.submit(
            [work],
            Submission(
                requestID: context.requestID, tickets: [work.ticket], tier: grantedTier,
                deadline: [context.firstTokenDeadline, context.deadline].compactMap(\.self).min(),
                arrival: context.arrival,
                requests: [PlacementRequest(promptTokens: prepared.promptTokens)],
                promptTokens: prepared.promptTokens,
                terms: SubmissionTerms(context.caller.principal, model: prepared.pool.model.name),
                budgets: meter?.claims(
                    context.caller.principal, promptTokens: prepared.promptTokens,
                    positionsMax: 0, choices: 1) ?? []),
            to: prepared.pool)
    }

    private var grantedTier: ServiceTier { context.caller.principal.granted(nil) }

    func closed(_ error: HTTPStreamError?) {
        end(.abandoned)
    }

    func tick(now: Instant) {
        let limit = Int64(limits.timeLimitSeconds) * 1_000_000_000
        guard now.nanoseconds(since: context.arrival) >= limit else { return }
        end(.failed(APIError(.deadlineExceeded, "The request's time is over.")))
    }

    // MARK: What the work reports

    func stands(_ standing: RateStanding) {
        self.standing = standing
    }

    var traceContext: TraceContext? { trace?.context(ofChoice: 0) }

    func started(on worker: WorkerID, attempt: Int, address: String) {
        let now = core.clock()
        if started == nil { started = now }
        workers.append(worker.number)
        core.metrics.queueTime.observe(now.nanoseconds(since: submitted))
        trace?.attemptBegan(0, attempt: attempt, worker: worker, address: address, at: now)
    }

    /// It has left its worker, and waits for another one if `waits`.
    func left(error: String, waits: Bool) {
        let now = core.clock()
        trace?.attemptEnded(0, error: error, at: now)
        if waits { trace?.choiceWaits(0, since: now) }
    }

    func failed(_ error: APIError) {
        end(.failed(error))
    }

    func finished(_ vectors: [[Float]]) {
        guard let prepared, !isOver else { return }
        let dimensions = vectors.first?.count ?? 0
        if let asked = prepared.request.dimensions, asked != dimensions {
            return end(
                .failed(
                    APIError(
                        .unsupported,
                        "The model's vectors have \(dimensions) dimensions; others cannot be "
                            + "asked for.", parameter: "dimensions")))
        }
        trace?.attemptEnded(0, error: nil, at: core.clock())
        var answer = ByteBuffer()
        EmbeddingsAnswer(
            model: prepared.pool.model.name, vectors: vectors,
            promptTokens: prepared.promptTokens
        ).write(prepared.request.encoding, into: &answer)
        end(.finished(Usage(promptTokens: prepared.promptTokens)), answer)
    }

    // MARK: The end

    func end(_ end: GenerationEnd) {
        self.end(end, ByteBuffer())
    }

    private func end(_ end: GenerationEnd, _ answer: ByteBuffer) {
        guard !isOver else { return }
        isOver = true
        body = ByteBuffer()
        connectionLoop.remove(self)
        switch end {
        case .finished:
            Answer.send(
                answer, type: Answer.json, requestID: context.requestID, fields: standing.fields,
                for: head, to: stream)
        case .failed(let error):
            Answer.send(
                error, requestID: context.requestID, fields: standing.fields, to: stream)
        case .abandoned, .accepted: break
        }
        note(end)
        work?.cancel()
        work = nil
    }

    private func note(_ end: GenerationEnd) {
        let now = core.clock()
        let nanoseconds = now.nanoseconds(since: context.arrival)
        var usage = Usage()
        if case .finished(let total) = end { usage = total }
        core.metrics.requestEnded(end, usage: usage, nanoseconds: nanoseconds)
        if let meter, let prepared {
            // What did not become an answer is nobody's bill.
            meter.ended(
                requestID: context.requestID, model: prepared.pool.model.name, tier: grantedTier,
                usage: usage, positions: [], prompts: [usage.promptTokens], choicesPerPrompt: 1,
                undelivered: 0, finishReason: "")
        }
        guard core.accessLog != nil || trace != nil else { return }
        var record = AccessRecord(
            time: Date().timeIntervalSince1970 - Double(nanoseconds) / 1e9,
            requestID: context.requestID, totalMilliseconds: Double(nanoseconds) / 1e6,
            status: 200)
        record.traceID = trace?.context.traceID.text
        record.note(context.caller.principal)
        record.tier = prepared.map { _ in grantedTier.name }
        record.model = prepared?.pool.model.name
        record.promptTokens = usage.promptTokens
        record.queueMilliseconds = started.map { Double($0.nanoseconds(since: submitted)) / 1e6 }
        record.workers = workers
        record.retries = max(0, workers.count - 1)
        record.finish(end)
        core.accessLog?.add(record)
        var outcome = RequestTrace.Outcome(
            operation: "embeddings", record: record, authority: context.authority)
        outcome.requestedModel = prepared?.request.model
        if case .failed(let error) = end { outcome.isServerFault = error.kind.isServerFault }
        trace?.ended(outcome, at: now)
    }
}

extension AccessRecord {
    /// What the client was or would have been told.
    mutating func finish(_ end: GenerationEnd) {
        switch end {
        case .finished, .accepted: break
        case .abandoned: (status, error) = (499, "client_closed")
        case .failed(let failure):
            (status, error) = (failure.httpStatus, failure.kind.rawValue)
        }
    }
}
