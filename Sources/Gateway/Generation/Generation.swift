import Admission
import EngineProtocol
import HTTPTransport
import InferenceAPI
import InferenceTypes
import NIOCore
import Routing
import Tokenization

/// The work that one request asks for, whatever its face: from its whole body to the end of its
/// last choice. Owned by the connection's loop.
///
/// ```
///   waiting ──start──► preparing ──► running ──all choices ended──► ended
///      └───────────────────┴────────────┴──error, receiver gone───────┘
/// ```
///
/// What comes out goes to the receiver in pieces of the internal model; how they look is not known
/// here.
final class Generation: ConnectionWork {
    private enum Phase {
        /// For the request's body.
        case waiting
        case preparing
        case running
        case ended
    }

    /// The last tokens of a prompt by which it is known again, with its length.
    private static let fingerprintTokens = 256

    let context: GenerationContext
    let limits: ChatLimits
    private let connectionLoop: ConnectionLoop
    /// Nil once ended, which breaks the cycle.
    private var receiver: (any GenerationReceiver)?

    private var phase = Phase.waiting
    var prepared: PreparedChat?
    var choices: [ChoiceStream] = []
    /// Instead of `prepared` and `choices`, for a pool whose workers take text.
    var forwarded: (chat: ForwardedChat, choice: UpstreamChoice)?
    /// Of all prompts.
    private var promptTokens = 0
    private var openChoices = 0
    private var fingerprint: UInt64?
    /// When the choices were submitted to the dispatcher.
    private(set) var submitted: Instant
    private(set) var firstToken: Instant?
    private(set) var lastToken: Instant?
    /// When the first choice got a worker.
    private(set) var started: Instant?
    var finishReasons: [FinishReason] = []
    private(set) var workers: [UInt32] = []
    private(set) var retries = 0
    private(set) var resumes = 0
    private(set) var isReaderStalled = false
    /// At the last tick.
    private var hadSlowReader = false
    /// Nil where nobody traces.
    let trace: RequestTrace?
    private(set) var answerID: String?
    /// Where the caller stands with its limits, as the dispatcher said last.
    private(set) var standing = RateStanding.unlimited
    /// From the end of its preparation to its first choice's slot; nil before that.
    var queuedNanoseconds: Int64? { started.map { $0.nanoseconds(since: submitted) } }
    /// From a whole body to its tokens; nil before that.
    private(set) var preparedNanoseconds: Int64?
    private var preparationBegan: Instant?
    /// Until the first token.
    private(set) var progress = AnswerProgress.unknown
    /// Nil before the first choice, and where nothing is metered.
    var meter: RequestMeter?

    init(_ context: GenerationContext, receiver: any GenerationReceiver, on loop: ConnectionLoop) {
        self.context = context
        self.receiver = receiver
        connectionLoop = loop
        limits = loop.core.serving.current.configuration.limits
        submitted = context.arrival
        trace = RequestTrace(
            loop.core.tracer, parent: context.parent, arrival: context.arrival,
            now: loop.core.clock())
        loop.add(self)
        core.metrics.requestStarted()
    }

    var core: GatewayCore { connectionLoop.core }
    private var eventLoop: any EventLoop { connectionLoop.eventLoop }

    // MARK: The request

    /// Decodes, checks and tokenizes a whole request, and runs it.
    func start(_ body: ByteBuffer, face: any Face) {
        prepare(.body(body, face))
    }

    private func prepare(_ source: PreparationSource) {
        guard phase != .ended else { return }
        guard connectionLoop.preparing < limits.preparationLimit else {
            let error = APIError(.queueFull, "Too many requests are being tokenized.")
            return end(.failed(error))
        }
        let isFirst = phase == .waiting
        phase = .preparing
        let now = core.clock()
        preparationBegan = now
        trace?.preparationBegan(at: now)
        if let request = core.preparation.atOnce(source, of: context.caller) {
            return preparationEnded(.success(.success(request)), isFirst: isFirst)
        }
        connectionLoop.preparing += 1
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        core.preparation.prepare(source, of: context.caller, on: eventLoop).whenComplete {
            bound.value.connectionLoop.preparing -= 1
            bound.value.preparationEnded($0, isFirst: isFirst)
        }
    }

    private func preparationEnded(
        _ result: Result<Result<PreparedRequest, APIError>, any Error>, isFirst: Bool
    ) {
        guard phase == .preparing else { return }
        let now = core.clock()
        preparedNanoseconds = preparationBegan.map { now.nanoseconds(since: $0) }
        trace?.preparationEnded(at: now)
        switch result {
        case .success(.success(let request)):
            if isFirst {
                guard receiver?.prepared(request) == true else { return }
            }
            switch request {
            case .tokens(let prepared): run(prepared)
            case .text(let chat): run(chat)
            }
        case .success(.failure(let error)):
            end(.failed(error))
        case .failure:
            // The pool is shut down only when the gateway stops.
            end(.failed(APIError.shuttingDown))
        }
    }

    private func run(_ prepared: PreparedChat) {
        guard beginMetering(prepared.pool, prepared.request) else { return }
        self.prepared = prepared
        promptTokens = prepared.prompts.reduce(0) { $0 + $1.tokens.count }
        phase = .running
        let request = prepared.request
        receiver?.began(newHead(request, prepared.format, prepared.pool.model))
        choices = (0..<request.totalChoices).map { index in
            ChoiceStream(
                ticket: connectionLoop.newTicket(), index: index, generation: self,
                connectionLoop: connectionLoop, pool: prepared.pool, text: AnswerText(prepared))
        }
        openChoices = choices.count
        submitted = core.clock()
        for choice in choices.indices { trace?.choiceWaits(choice, since: submitted) }
        var hasher = Hasher()
        hasher.combine(context.caller.principal.key)
        for prompt in prepared.prompts {
            hasher.combine(prompt.tokens.count)
            hasher.combine(prompt.tokens.suffix(Self.fingerprintTokens))
        }
        fingerprint = UInt64(truncatingIfNeeded: hasher.finalize())
        submit(
            choices, request,
            placements: prepared.prompts.flatMap {
                Array(repeating: $0.placement, count: request.choiceCount)
            }, promptTokens: promptTokens,
            budgets: prepared.prompts.flatMap { budgets(of: $0.tokens.count, prepared) },
            to: prepared.pool)
    }

    private func run(_ chat: ForwardedChat) {
        guard beginMetering(chat.pool, chat.request) else { return }
        phase = .running
        var fields: HTTPFields = ["x-request-id": context.requestID]
        for field in context.forwardedFields { fields.append(field.name, field.value) }
        let head = newHead(chat.request, chat.format, chat.pool.model)
        receiver?.began(head)
        let choice = UpstreamChoice(
            ticket: connectionLoop.newTicket(), generation: self, connectionLoop: connectionLoop,
            chat: chat, answerID: head.id, fields: fields)
        forwarded = (chat, choice)
        submitted = core.clock()
        trace?.choiceWaits(0, since: submitted)
        // An upstream's tokens cannot be counted beforehand: it is asked while there is money.
        let budgets = meter?.claims(
            context.caller.principal, promptTokens: 0, positionsMax: 1, choices: 1)
        submit(
            [choice], chat.request, placements: [chat.placement],
            promptTokens: chat.placement.promptTokens,
            budgets: budgets ?? [], to: chat.pool)
    }

    private func submit(
        _ choices: [any TicketHolder], _ request: ChatRequest, placements: [PlacementRequest],
        promptTokens: Int, budgets: [BudgetClaim], to pool: Pool
    ) {
        meter?.submitted(choices.map(\.ticket))
        let deadlines = [context.firstTokenDeadline, context.deadline].compactMap(\.self)
        connectionLoop.submit(
            choices,
            Submission(
                requestID: context.requestID, tickets: choices.map(\.ticket),
                tier: tier(of: request), deadline: deadlines.min(),
                arrival: context.arrival, requests: placements, promptTokens: promptTokens,
                terms: SubmissionTerms(context.caller.principal, model: pool.model.name),
                fingerprint: fingerprint, budgets: budgets),
            to: pool)
    }

    private func newHead(
        _ request: ChatRequest, _ format: any AnswerFormat, _ model: ServedModel
    ) -> ChatResponseHead {
        var generator = SystemRandomNumberGenerator()
        let id =
            context.answerID
            ?? format.idPrefix + Identifier.request((generator.next(), generator.next()))
        answerID = id
        return ChatResponseHead(
            id: id,
            created: UnixClock.seconds(), model: model.name, systemFingerprint: model.fingerprint,
            serviceTier: tier(of: request))
    }

    /// What is granted: what the request asks for, but nothing better than its key may have.
    func tier(of request: ChatRequest) -> ServiceTier {
        context.caller.principal.granted(context.tier ?? request.serviceTier)
    }

    /// The pool ended, since its model was swapped or unloaded. Requests that had no token yet are
    /// prepared anew, for the pool that serves their model's name now.
    func poolRetired(isFresh: Bool) {
        guard phase == .running else { return }
        guard isFresh, firstToken == nil else {
            return end(.failed(APIError(.draining, "The model was unloaded.")))
        }
        if let chat = forwarded?.chat {
            forwarded = nil
            return prepare(.body(chat.body, chat.face))
        }
        guard let prepared else { return }
        for choice in choices { choice.cancel() }
        choices.removeAll()
        finishReasons.removeAll()
        prepare(.request(FaceRequest(chat: prepared.request, format: prepared.format)))
    }

    // MARK: What choices ask

    /// Somebody is told how far it is.
    var wantsProgress: Bool { prepared?.request.isStreaming ?? false }
    var wantsLogprobs: Bool { prepared?.sampling.topLogprobs != nil }
    var isWritable: Bool { receiver?.isWritable ?? false }

    func promptTokens(ofChoice choice: Int) -> Int {
        prepared?.prompt(ofChoice: choice).tokens.count ?? 0
    }

    func isControl(_ token: TokenID) -> Bool {
        prepared?.tokenizer.vocabulary.pieces.isControl(token) ?? false
    }

    func stopString(_ index: Int) -> String { prepared?.stops.strings[index] ?? "" }

    /// What one of our workers, or another product's, must be asked: the choice from its beginning,
    /// or from behind the tokens that earlier workers generated; nil when that worker cannot go on
    /// with those. Each attempt has an id of its own, since a worker that lost its gateway may
    /// still run the one before.
    func generationRequest(
        choice: Int, attempt: Int, generated: [TokenID], positionsMax: Int, isOurs: Bool
    ) -> GenerationRequest? {
        guard let prepared else { preconditionFailure("a choice runs before its preparation") }
        var sampling = prepared.sampling
        sampling.seed = prepared.seed(choice: choice)
        if positionsMax < sampling.maxTokens ?? .max { sampling.maxTokens = positionsMax }
        let id = context.requestID
        var request = GenerationRequest(
            id: attempt == 0 ? "\(id)-\(choice)" : "\(id)-\(choice)-\(attempt)",
            prompt: prepared.prompt(ofChoice: choice).tokens + generated, sampling: sampling)
        request.resumedTokens = generated.count
        request.prefixSalt = prepared.prefixSalt
        request.tier = tier(of: prepared.request)
        request.tenant = context.caller.principal.billedTenant
        request.tenantWeight = context.caller.principal.share.weight
        if isOurs, let meter {
            request.usage = UsageIdentity(
                id: meter.usageID, choice: choice,
                choicesPerPrompt: prepared.request.choiceCount,
                application: meter.account.application, keyID: meter.account.keyID)
        }
        return isOurs
            ? request
            : Resumption.foreign(request, isSeedPromised: prepared.request.seed != nil)
    }

    /// Why a choice with these tokens is over; nil while it may go on. The worker's own rule
    /// (`Scheduler`), for when it could not say so any more.
    func finishReason(after tokens: [TokenID], choice: Int) -> FinishReason? {
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
        return promptTokens(ofChoice: choice) + tokens.count >= prepared.tokenizer.contextTokens
            ? .contextFull : nil
    }

    func metadata(choice: Int, attempt: Int, wantsProgress: Bool) -> EngineMetadata {
        func left(_ instant: Instant?) -> Int64? {
            instant.map { max(1, $0.nanoseconds(since: core.clock()) / 1_000_000) }
        }
        return EngineMetadata(
            deadlineMilliseconds: left(context.deadline),
            // Later attempts go on behind the first token.
            firstTokenMilliseconds: firstToken == nil ? left(context.firstTokenDeadline) : nil,
            attempt: attempt, wantsProgress: wantsProgress,
            trace: trace?.context(ofChoice: choice))
    }

    // MARK: What choices report

    /// A worker was found for a choice. `address`: the worker's, where it is known.
    func choiceStarted(_ choice: Int, attempt: Int, on worker: WorkerID, address: String?) {
        let now = core.clock()
        trace?.attemptBegan(choice, attempt: attempt, worker: worker, address: address, at: now)
        if started == nil { started = now }
        progress = .unknown
        workers.append(worker.number)
        core.metrics.queueTime.observe(now.nanoseconds(since: submitted))
    }

    /// A choice was let in, or refused by a limit.
    func choiceStands(_ standing: RateStanding) {
        self.standing = standing
    }

    /// A choice without a token waits, or its prompt is being computed. Several choices: the last
    /// that was heard of.
    func choiceProgressed(_ progress: AnswerProgress) {
        if firstToken == nil { self.progress = progress }
    }

    /// A call of a choice begins.
    func callBegan(_ request: GenerationRequest, on link: WorkerLink) {
        meter?.attemptBegan(request.id, endpoint: link.endpoint.text)
    }

    /// Its worker said how it ended: it generated what was received.
    func callSettled(_ requestID: String) {
        meter?.attemptSettled(requestID)
    }

    /// A choice's worker has sent its first token.
    func choiceAnswered(_ choice: Int) {
        trace?.attemptAnswered(choice, at: core.clock())
    }

    /// A choice has left its worker; nothing when that is known.
    func attemptEnded(_ choice: Int, error: String? = nil) {
        trace?.attemptEnded(choice, error: error, at: core.clock())
    }

    /// Fields that tell an upstream which trace its request belongs to.
    func traceFields(choice: Int) -> HTTPFields {
        guard let context = trace?.context(ofChoice: choice) else { return [:] }
        var fields: HTTPFields = ["traceparent": context.traceparent]
        if !context.state.isEmpty { fields.append("tracestate", context.state) }
        return fields
    }

    /// A choice goes to another worker, before its first token or, resumed, after it.
    func choiceMoved(_ choice: Int, isResumed: Bool) {
        trace?.choiceWaits(choice, since: core.clock())
        if isResumed { resumes += 1 } else { retries += 1 }
        (isResumed ? core.metrics.resumes : core.metrics.retries).increment()
    }

    /// Tokens arrived whose text is held back.
    func progressed() {
        noteTokens()
    }

    /// More of one choice, of which tokens have just arrived.
    func received(_ pieces: [AnswerPiece], choice: Int) {
        noteTokens()
        for piece in pieces { receiver?.received(piece, choice: choice) }
    }

    /// More text of one choice.
    func received(_ text: [UInt8], logprobs: [TokenLogprob]?, choice: Int) {
        noteTokens()
        receiver?.received(
            .text(String(decoding: text, as: UTF8.self), logprobs: logprobs.map { $0.map(entry) }),
            choice: choice)
    }

    func entry(_ logprob: TokenLogprob) -> ChatTokenLogprob {
        ChatTokenLogprob(
            token: candidate(logprob.token, logprob.logprob),
            top: logprob.top.map { candidate($0.token, $0.logprob) })
    }

    private func candidate(_ token: TokenID, _ logprob: Float) -> ChatTokenLogprob.Candidate {
        let spelling = prepared?.tokenizer.vocabulary.pieces.spelling(token)
        return ChatTokenLogprob.Candidate(bytes: spelling.map { Array($0) } ?? [], logprob: logprob)
    }

    func choiceFinished(_ index: Int, _ reason: FinishReason) {
        guard phase == .running else { return }
        openChoices -= 1
        finishReasons.append(reason)
        core.metrics.choiceFinished(reason)
        receiver?.finished(reason, choice: index)
        guard openChoices == 0 else { return }
        end(.finished(usage))
    }

    func choiceFailed(_ error: APIError) {
        end(.failed(error))
    }

    /// Events of an upstream, with our identity, for a stream.
    func forward(_ bytes: ByteBuffer) {
        receiver?.forwarded(bytes)
    }

    /// More of an upstream's answer, in pieces of the internal model.
    func translated(_ pieces: [TranslatedAnswer.Piece]) {
        for piece in pieces { receiver?.received(piece.piece, choice: piece.choice) }
    }

    /// A translated answer is complete: how each of its choices ended.
    func translationFinished(_ reasons: [(choice: Int, reason: FinishReason)]) {
        guard phase == .running else { return }
        finishReasons = reasons.map(\.reason)
        for (choice, reason) in reasons {
            core.metrics.choiceFinished(reason)
            receiver?.finished(reason, choice: choice)
        }
        end(.finished(usage))
    }

    /// An upstream's answer is complete: `whole`, or all events of a stream.
    func forwardingFinished(whole: ByteBuffer?, reasons: [FinishReason]) {
        guard phase == .running else { return }
        finishReasons = reasons
        for reason in reasons { core.metrics.choiceFinished(reason) }
        if let whole { receiver?.forwarded(whole: whole) }
        end(.finished(usage))
    }

    private func noteTokens() {
        let now = core.clock()
        if let lastToken {
            core.metrics.interTokenLatency.observe(now.nanoseconds(since: lastToken))
        } else {
            firstToken = now
            progress = .unknown
            core.metrics.timeToFirstToken.observe(now.nanoseconds(since: context.arrival))
        }
        lastToken = now
    }

    // MARK: Time

    /// Called a few times a second.
    func tick(now: Instant) {
        guard phase == .running else { return }
        let limit = Int64(limits.timeLimitSeconds) * 1_000_000_000
        if now.nanoseconds(since: context.arrival) >= limit {
            for choice in choices { choice.stop(.timeLimit) }
            forwarded?.choice.timeIsOver()
            return
        }
        forwarded?.choice.tick()
        guard phase == .running else { return }
        if hadSlowReader, !isWritable { for choice in choices { choice.readerIsSlow() } }
        hadSlowReader = !isWritable
        receiver?.tick(now: now)
    }

    // MARK: The receiver

    /// It takes more output again.
    func receiverReads() {
        for choice in choices { choice.clientReads() }
        forwarded?.choice.clientReads()
    }

    /// The client left its answer unread for too long, and was dropped.
    func readerStalled() {
        isReaderStalled = true
        end(.abandoned)
    }

    /// Ends it once, whatever the reason, and frees everything that it holds.
    func end(_ end: GenerationEnd) {
        guard phase != .ended else { return }
        phase = .ended
        connectionLoop.remove(self)
        let usage = self.usage
        let positions = choices.map(\.positions)
        let undelivered = undeliveredTokens(end)
        let now = core.clock()
        let nanoseconds = now.nanoseconds(since: context.arrival)
        if core.accessLog != nil || trace != nil {
            let record = accessRecord(end, usage, nanoseconds: nanoseconds)
            core.accessLog?.add(record)
            // Before the choices are cancelled, so that what still runs is told why it ends.
            trace?.ended(outcome(end, record, usage), at: now)
        }
        for choice in choices { choice.cancel() }
        choices.removeAll()
        forwarded?.choice.cancel()
        endMetering(usage, positions: positions, undelivered: undelivered, end)
        let receiver = receiver
        self.receiver = nil
        receiver?.ended(end)
        core.metrics.requestEnded(end, usage: usage, nanoseconds: nanoseconds)
        countServiceLevel(end, usage)
    }

    var request: ChatRequest? { prepared?.request ?? forwarded?.chat.request }

    /// So far, of all choices. Asked for with each piece of a streamed answer.
    var usage: Usage {
        if let forwarded {
            var total = forwarded.choice.usage
            total.costTicks = meter?.cost(of: total) ?? 0
            return total
        }
        var total = Usage(promptTokens: promptTokens)
        for choice in choices {
            total.cachedTokens = max(total.cachedTokens, choice.usage.cachedTokens)
            total.completionTokens += choice.usage.completionTokens
            total.reasoningTokens += choice.usage.reasoningTokens
        }
        total.costTicks = meter?.cost(of: total) ?? 0
        return total
    }
}
