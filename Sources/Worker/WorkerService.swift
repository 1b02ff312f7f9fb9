import EngineProtocol
import GRPC
import InferenceTypes
import Logging
import NIOCore
import Scheduling
import Synchronization

/// The worker protocol in front of the engine thread. Immutable but for its phase; calls are kept
/// in the table of their loop.
final class WorkerService: EngineService {
    /// What the worker is doing, seen from outside.
    enum Phase: UInt8, Sendable, AtomicRepresentable {
        case serving
        case draining
        case failed
    }

    let tables: LoopTables
    private let mailbox: EngineMailbox
    private let metrics: WorkerMetrics
    private let engine: EngineThread.Description
    private let validation: RequestValidation
    private let stallNanoseconds: Int64
    let tokenizerSource: TokenizerSource
    private let started: Instant
    private let logger: Logger
    let now: @Sendable () -> Instant
    private let phase = Atomic<Phase>(.serving)
    /// Set once, by `startReporting`, before the service is offered.
    let reporter = Mutex<NIOLoopBound<EventReporter>?>(nil)

    init(
        tables: LoopTables, wiring: EngineThread.Wiring, engine: EngineThread.Description,
        configuration: WorkerConfiguration, logger: Logger
    ) {
        self.logger = logger
        self.tables = tables
        self.mailbox = wiring.mailbox
        self.metrics = wiring.metrics
        self.now = wiring.now
        self.engine = engine
        validation = RequestValidation(
            vocabularySize: engine.properties.vocabularySize,
            requestTokensMax: engine.properties.requestTokensMax,
            choicesMax: configuration.choicesMax)
        stallNanoseconds = Int64(configuration.stallSeconds * 1e9)
        tokenizerSource = TokenizerSource(configuration, engine)
        started = wiring.now()
        // On the loops before any connection is.
        tables.forEach { $0.pieces = engine.pieces }
    }

    /// From any thread.
    func enter(_ phase: Phase) {
        self.phase.store(phase, ordering: .relaxed)
    }

    /// From any thread. A broken engine stays broken.
    func enterUnlessFailed(_ phase: Phase) {
        _ = self.phase.compareExchange(expected: .serving, desired: phase, ordering: .relaxed)
    }

    /// A step that takes so many times what was expected of it hangs.
    private static let stallMultiple: Int64 = 20

    // MARK: Calls

    func generate(_ request: EngineGenerateRequest, _ call: EngineServerCall) {
        if let refusal = validation.refusal(of: request) {
            metrics.refused[.invalid].increment()
            return call.fail(refusal)
        }
        logger.debug(
            "generate",
            metadata: [
                "request_id": "\(request.generation.id)",
                "trace_id": "\(request.metadata.trace?.traceID.text ?? "")",
                "attempt": "\(request.metadata.attempt)",
                "prompt_tokens": "\(request.generation.prompt.count)",
            ])
        tables.here(call.eventLoop).open(request, call, now: now())
    }

    func embed(_ request: EngineEmbedRequest, _ call: EngineEmbedCall) {
        guard let properties = engine.embedding else {
            return call.fail(GRPCStatus(.unimplemented, "this worker makes no embeddings"))
        }
        if let refusal = validation.refusal(of: request, tokensMax: properties.tokensMax) {
            metrics.refused[.invalid].increment()
            return call.fail(refusal)
        }
        logger.debug(
            "embed",
            metadata: [
                "request_id": "\(request.id)",
                "trace_id": "\(request.trace?.traceID.text ?? "")",
                "prompt_tokens": "\(request.tokens.count)",
            ])
        tables.here(call.eventLoop).embed(request, call)
    }

    func cancelled(_ call: EngineServerCall, _ status: GRPCStatus) {
        tables.here(call.eventLoop).cancelled(call)
    }

    func writabilityChanged(_ call: EngineServerCall, _ isWritable: Bool) {
        tables.here(call.eventLoop).writabilityChanged(call, isWritable)
    }

    func abort(_ requestIDs: [String], on eventLoop: any EventLoop) {
        // The request may have come over another connection.
        tables.forEach { $0.abort(requestIDs) }
    }

    // MARK: Information

    func health() -> EngineHealth {
        switch phase.load(ordering: .relaxed) {
        case .failed: return EngineHealth(isHealthy: false, message: "the engine failed")
        case .draining: return EngineHealth(isHealthy: false, message: "draining")
        case .serving: break
        }
        let report = mailbox.report
        let silence = now().nanoseconds(since: report.instant)
        let (expected, isHuge) = report.predictedNanoseconds.multipliedReportingOverflow(
            by: Self.stallMultiple)
        guard report.isBusy, !isHuge, silence > max(stallNanoseconds, expected) else {
            return EngineHealth(isHealthy: true, message: "serving")
        }
        return EngineHealth(
            isHealthy: false, message: "no step for \(silence / 1_000_000_000) s")
    }

    func modelInfo() -> EngineModelInfo {
        var info = EngineModelInfo()
        info.modelPath = engine.model.path
        info.servedModelName = engine.model.name
        info.tokenizerPath = engine.model.path
        info.modelType = engine.model.architecture
        info.architectures = engine.model.architecture.isEmpty ? [] : [engine.model.architecture]
        info.contextTokens = engine.properties.requestTokensMax
        info.vocabularySize = engine.properties.vocabularySize
        info.endOfSequenceTokens = engine.properties.endOfGenerationTokens
        // One token of output at least.
        info.maxInputTokens = engine.properties.requestTokensMax - 1
        return info
    }

    func serverInfo() -> EngineServerInfo {
        let report = mailbox.report
        var info = EngineServerInfo()
        info.serverType = EngineServerInfo.switchyard
        info.activeRequests = report.load.running + report.load.waiting
        info.isPaused = phase.load(ordering: .relaxed) != .serving
        info.uptimeSeconds = Double(now().nanoseconds(since: started)) / 1e9
        info.slots = engine.scheduling.slots
        // Prefixes are matched token by token.
        info.blockTokens = 1
        info.modelType = engine.model.architecture
        return info
    }

    func tokenizer(on eventLoop: any EventLoop) -> EventLoopFuture<EngineTokenizerBundle> {
        tokenizerSource.bundle(on: eventLoop)
    }

    func loads() -> EngineLoads {
        var loads = EngineLoads()
        loads.ranks = [load()]
        return loads
    }

    func load() -> EngineLoad {
        let report = mailbox.report
        let load = report.load
        let rates = report.rates.seen(at: now(), lastReport: report.instant)
        var rank = EngineLoad()
        rank.runningRequests = load.running
        rank.waitingRequests = load.waiting
        rank.usedTokens = load.usedCells - load.idleCells
        rank.maxTokens = load.totalCells
        rank.generationTokensPerSecond = rates.tokensPerSecond
        rank.cacheHitRate =
            load.prefixQueryTokens > 0
            ? Double(load.prefixHitTokens) / Double(load.prefixQueryTokens) : 0
        rank.utilization = rates.utilization
        rank.maxRunningRequests = engine.scheduling.slots
        rank.waitingUncachedTokens = load.queuedPrefillTokens
        rank.tokenUsage = load.activeCellFraction
        return rank
    }
}
