import EngineProtocol
import GRPC
import InferenceTypes
import NIOCore
import Scheduling
import Tokenization

/// The calls of one event loop: finds the call that a step's output belongs to, and tells the
/// engine thread what callers want.
///
/// Owned by its event loop. A token costs one array access here; dictionaries are only for what
/// happens once per call.
final class CallTable {
    /// A sequence in the engine's hands.
    private struct Slot {
        var generation: UInt32 = 0
        /// Nil: the slot is free.
        var call: GenerateCall?
        var choice = 0
        var cachedTokens = 0
        /// Tokens sent so far.
        var sentTokens = 0
        var lastToken = Instant.zero
        /// When the request came.
        var arrival = Instant.zero
    }

    let loop: Int
    let mailbox: EngineMailbox
    let metrics: WorkerMetrics
    /// See `EngineThread.Description.pieces`; set before the first call.
    var pieces: PieceTable?
    private var slots: [Slot] = []
    private var freeSlots: [Int] = []
    /// By `EngineServerCall.key`.
    private var calls: [UInt64: GenerateCall] = [:]
    private var keysByRequest: [String: UInt64] = [:]
    private var lastCall: UInt64 = 0
    /// Not nil: new calls get this status.
    private(set) var refusal: GRPCStatus?
    /// `Embed` calls that have not ended.
    var embeddings: [UInt64: (call: EngineEmbedCall, job: EmbeddingJob)] = [:]
    var lastEmbedding: UInt64 = 0
    /// Gaps between tokens of the batch in hand: equal ones in a row are observed at once.
    private var gap: (nanoseconds: Int64, count: Int) = (0, 0)

    init(loop: Int, mailbox: EngineMailbox, metrics: WorkerMetrics) {
        self.loop = loop
        self.mailbox = mailbox
        self.metrics = metrics
    }

    /// Calls that have not ended.
    var callCount: Int { calls.count + embeddings.count }

    // MARK: What callers want

    /// Takes a valid request, or ends the call with the reason why not.
    func open(_ request: EngineGenerateRequest, _ call: EngineServerCall, now: Instant) {
        if let refusal {
            metrics.refused[.draining].increment()
            return call.fail(refusal)
        }
        let id = request.generation.id
        guard id.isEmpty || keysByRequest[id] == nil else {
            metrics.refused[.invalid].increment()
            return call.fail(GRPCStatus(.alreadyExists, "request_id \(id) is running already"))
        }
        let stops: StopStrings
        do {
            stops = try StopStrings(request.stopStrings)
        } catch {
            metrics.refused[.invalid].increment()
            return call.fail(GRPCStatus(.invalidArgument, "stop: \(error)"))
        }
        let record = GenerateCall(
            requestID: id, call: call,
            promptTokens: request.generation.prompt.count - request.generation.resumedTokens,
            wantsProgress: request.streams && request.metadata.wantsProgress,
            choices: request.choices, stops: stops,
            minTokens: request.generation.sampling.minTokens, pieces: pieces)
        lastCall += 1
        call.key = lastCall
        calls[lastCall] = record
        if !id.isEmpty { keysByRequest[id] = lastCall }
        func instant(_ milliseconds: Int64?) -> Instant? {
            milliseconds.map {
                now.advanced(byNanoseconds: $0 > Int64.max / 1_000_000 ? .max : $0 * 1_000_000)
            }
        }
        let deadline = instant(request.metadata.deadlineMilliseconds)
        let due = instant(request.metadata.firstTokenMilliseconds)
        for choice in 0..<request.choices {
            var generation = request.generation
            generation.sampling.seed = request.seed(forChoice: choice)
            let key = takeSlot(for: record, choice: choice, now: now)
            guard mailbox.submit(.submit(key, generation, deadline: deadline, due: due)) else {
                metrics.refused[.queueFull].increment()
                return fail(
                    record,
                    GRPCStatus(
                        .resourceExhausted,
                        "the engine's mailbox is full (\(mailbox.submissionsMax) submissions)"))
            }
        }
    }

    /// The client is gone or lost patience.
    func cancelled(_ call: EngineServerCall) {
        guard let record = calls[call.key] else { return }
        metrics.cancelled.increment(by: UInt64(record.unfinished))
        forget(record)
    }

    /// A slow reader pauses its own sequences and nobody else's.
    func writabilityChanged(_ call: EngineServerCall, _ isWritable: Bool) {
        guard let record = calls[call.key], record.isPaused == isWritable else { return }
        record.isPaused = !isWritable
        if !isWritable { metrics.outputPauses.increment() }
        for case let key? in record.sequences {
            mailbox.post(isWritable ? .resume(key) : .pause(key))
        }
    }

    /// Ends the named requests as vLLM does: their choices finish with `abort`.
    func abort(_ requestIDs: [String]) {
        for id in requestIDs {
            guard let key = keysByRequest[id], let record = calls[key] else { continue }
            for (choice, sequence) in record.sequences.enumerated() {
                guard let sequence else { continue }
                let slot = slots[sequence.slot]
                metrics.finished[.abort].increment()
                record.call.finish(
                    EngineFinish(
                        reason: .cancelled,
                        usage: Usage(
                            promptTokens: record.promptTokens, cachedTokens: slot.cachedTokens,
                            completionTokens: slot.sentTokens),
                        index: choice))
            }
            forget(record)
        }
    }

    /// From now on calls are refused with `status`.
    func refuse(with status: GRPCStatus) {
        refusal = status
    }

    /// Ends every call with `status`.
    func failAll(_ status: GRPCStatus) {
        for key in calls.keys.sorted() {
            if let record = calls[key] { fail(record, status) }
        }
        failEmbeddings(status)
    }

    // MARK: What the engine made

    /// Works off one step's output.
    func apply(_ output: StepOutput) {
        for refusal in output.refusals { refuse(refusal) }
        for event in output.events {
            switch event {
            case .token(let token): send(token, at: output.instant)
            case .started(let key, let cachedTokens, _):
                if contains(key) { slots[key.slot].cachedTokens = cachedTokens }
            case .finished(let finished): finish(finished, at: output.instant)
            case .failed(let key, let failure): fail(key, failure)
            case .prefilled(let key, let positions): tellProgress(key, positions.upperBound)
            case .preempted: break
            }
        }
        observeGaps()
    }

    private func send(_ token: GeneratedToken, at instant: Instant) {
        let key = token.key
        guard contains(key), let record = slots[key.slot].call else { return }
        observe(slot: key.slot, at: instant)
        // The token that ends a choice is sent like the others, as vLLM does: it is counted, and
        // whoever makes text of the tokens knows it.
        record.call.send(
            EngineTokens(
                tokens: [token.token], logprobs: token.logprob.map { [$0] },
                promptTokens: record.promptTokens, cachedTokens: slots[key.slot].cachedTokens,
                index: slots[key.slot].choice))
        if let stop = record.stopString(after: token.token, choice: slots[key.slot].choice) {
            end(key, of: record, at: stop)
        }
    }

    /// How far a prompt is, to a client that asked, reads, and has no token yet.
    private func tellProgress(_ key: SequenceKey, _ computed: Int) {
        guard contains(key), let record = slots[key.slot].call, record.wantsProgress,
            slots[key.slot].sentTokens == 0, computed < record.promptTokens,
            record.call.isWritable
        else { return }
        record.call.send(
            EngineTokens(
                tokens: [], promptTokens: record.promptTokens, cachedTokens: computed,
                index: slots[key.slot].choice))
    }

    /// A stop string ends a choice; the engine does not know of it.
    private func end(_ key: SequenceKey, of record: GenerateCall, at stop: String) {
        let slot = slots[key.slot]
        mailbox.post(.cancel(key))
        metrics.finished[.stop].increment()
        release(key, of: record)
        record.call.finish(
            EngineFinish(
                reason: .stopString(stop),
                usage: Usage(
                    promptTokens: record.promptTokens, cachedTokens: slot.cachedTokens,
                    completionTokens: slot.sentTokens),
                index: slot.choice))
    }

    private func finish(_ finished: FinishedRequest, at instant: Instant) {
        guard contains(finished.key), let record = slots[finished.key.slot].call else { return }
        let choice = slots[finished.key.slot].choice
        metrics.observe(finished, at: instant)
        release(finished.key, of: record)
        record.call.finish(
            EngineFinish(reason: finished.reason, usage: finished.usage, index: choice))
    }

    private func fail(_ key: SequenceKey, _ failure: RequestFailure) {
        guard contains(key), let record = slots[key.slot].call else { return }
        metrics.failed.increment()
        switch failure {
        case .engine(_, let message):
            fail(record, GRPCStatus(.internalError, "the engine failed: \(message)"))
        case .sampler(let message):
            fail(record, GRPCStatus(.invalidArgument, message))
        }
    }

    private func refuse(_ refusal: StepOutput.Refusal) {
        guard contains(refusal.key), let record = slots[refusal.key.slot].call else { return }
        metrics.refused[refusal.error.label].increment()
        // Not in the scheduler's hands; the call's other choices may be.
        release(refusal.key, of: record)
        fail(record, refusal.error.status)
    }

    // MARK: Book-keeping

    /// Ends a call with an error, its other choices included.
    private func fail(_ record: GenerateCall, _ status: GRPCStatus) {
        forget(record)
        record.call.fail(status)
    }

    /// Takes a call out of the table and its sequences out of the engine.
    private func forget(_ record: GenerateCall) {
        for case let key? in record.sequences {
            mailbox.post(.cancel(key))
            free(key)
        }
        record.sequences = []
        remove(record)
    }

    /// A choice has ended by itself.
    private func release(_ key: SequenceKey, of record: GenerateCall) {
        record.sequences[slots[key.slot].choice] = nil
        free(key)
        record.unfinished -= 1
        if record.unfinished == 0 { remove(record) }
    }

    private func remove(_ record: GenerateCall) {
        calls[record.call.key] = nil
        if !record.requestID.isEmpty, keysByRequest[record.requestID] == record.call.key {
            keysByRequest[record.requestID] = nil
        }
    }

    private func takeSlot(for record: GenerateCall, choice: Int, now: Instant) -> SequenceKey {
        let slot: Int
        if let free = freeSlots.popLast() {
            slot = free
        } else {
            slot = slots.count
            // Far beyond what streams, connections and the waiting queue allow.
            precondition(slot < SequenceKey.slotsMax, "\(slot) sequences on one loop")
            slots.append(Slot())
        }
        slots[slot].call = record
        slots[slot].choice = choice
        slots[slot].arrival = now
        let key = SequenceKey(loop: loop, generation: slots[slot].generation, slot: slot)
        record.sequences.append(key)
        return key
    }

    private func free(_ key: SequenceKey) {
        let generation = slots[key.slot].generation
        slots[key.slot] = Slot(generation: generation &+ 1)
        freeSlots.append(key.slot)
    }

    /// False for output of a sequence that was cancelled meanwhile.
    private func contains(_ key: SequenceKey) -> Bool {
        slots.indices.contains(key.slot) && slots[key.slot].generation == key.generation
            && slots[key.slot].call != nil
    }

    private func observe(slot: Int, at instant: Instant) {
        if slots[slot].sentTokens == 0 {
            metrics.timeToFirstToken.observe(instant.nanoseconds(since: slots[slot].arrival))
        } else {
            let nanoseconds = instant.nanoseconds(since: slots[slot].lastToken)
            if nanoseconds == gap.nanoseconds {
                gap.count += 1
            } else {
                observeGaps()
                gap = (nanoseconds, 1)
            }
        }
        slots[slot].sentTokens += 1
        slots[slot].lastToken = instant
    }

    private func observeGaps() {
        metrics.interTokenLatency.observe(gap.nanoseconds, times: gap.count)
        gap = (0, 0)
    }
}

extension SubmitError {
    var status: GRPCStatus {
        switch self {
        case .promptTooLong(let limit):
            GRPCStatus(.outOfRange, "the prompt must be shorter than \(limit) tokens")
        case .emptyPrompt: GRPCStatus(.invalidArgument, "the prompt is empty")
        case .invalidResume:
            GRPCStatus(.invalidArgument, "the resumed tokens leave no prompt")
        case .nothingToGenerate:
            GRPCStatus(.invalidArgument, "max_tokens leaves nothing to generate")
        case .queueFull(let limit):
            GRPCStatus(.resourceExhausted, "\(limit) requests wait for a slot already")
        case .duplicateKey: GRPCStatus(.internalError, "a sequence key was used twice")
        }
    }

    var label: WorkerMetrics.RefusalLabel {
        switch self {
        case .queueFull: .queueFull
        default: .invalid
        }
    }
}
