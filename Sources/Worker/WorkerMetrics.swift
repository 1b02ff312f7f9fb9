import InferenceTypes
package import Metrics
import Scheduling

/// Every metric of a worker, named once (OPERATIONS.md, "Metrics"). Base units; `vllm:` names are
/// those that gateways and autoscalers scrape, `switchyard_worker_` ones show what these cannot.
///
/// Requests are counted where their output is applied, on the event loops; steps by the engine
/// thread. Counting takes no lock.
package final class WorkerMetrics: Sendable {
    package let registry = MetricsRegistry()

    // Requests.
    let timeToFirstToken: Histogram
    let interTokenLatency: Histogram
    let endToEnd: Histogram
    let queueTime: Histogram
    let prefillTime: Histogram
    let decodeTime: Histogram
    let finished: MetricFamily<FinishLabel, Counter>
    let refused: MetricFamily<RefusalLabel, Counter>
    let failed: Counter
    let cancelled: Counter
    let promptTokens: Counter
    let generatedTokens: Counter
    let embeddingTokens: Counter
    let outputPauses: Counter
    let journalFailures: Counter

    // Steps.
    let stepTime: Histogram
    let batchTokens: Histogram
    let steps: Counter
    let preemptions: Counter
    let yieldedSlots: Counter
    let skippedDecodes: Counter
    let evictions: Counter
    let cacheSpaceFailures: Counter
    let prefixQueries: Counter
    let prefixHits: Counter
    let busyNanoseconds: Counter
    let executeNanoseconds: Counter
    let decodeNanoseconds: Counter

    /// Why a finished request ended: the words of the worker protocol.
    enum FinishLabel: String, MetricLabelValue { case stop, length, abort }

    enum RefusalLabel: String, MetricLabelValue {
        case invalid
        case queueFull = "queue_full"
        case draining
    }

    /// `report` is asked for gauges at each scrape.
    init(report: @escaping @Sendable () -> EngineReport) {
        let own = "switchyard_worker_"
        timeToFirstToken = registry.histogram(
            "vllm:time_to_first_token_seconds", "From a request's arrival to its first token.",
            buckets: .timeToFirstToken)
        interTokenLatency = registry.histogram(
            "vllm:inter_token_latency_seconds", "Gaps between a stream's tokens.",
            buckets: .timePerOutputToken)
        endToEnd = registry.histogram(
            "vllm:e2e_request_latency_seconds", "From a request's arrival to its end.",
            buckets: .requestLatency)
        queueTime = registry.histogram(
            "vllm:request_queue_time_seconds", "From a request's arrival to its slot.",
            buckets: .requestLatency)
        prefillTime = registry.histogram(
            "vllm:request_prefill_time_seconds", "From a request's slot to its first token.",
            buckets: .requestLatency)
        decodeTime = registry.histogram(
            "vllm:request_decode_time_seconds", "From a request's first token to its last.",
            buckets: .requestLatency)
        finished = registry.counters(
            "vllm:request_success_total", "Finished choices.", by: "finished_reason")
        refused = registry.counters(
            own + "refused_total", "Calls refused before any work.", by: "reason")
        failed = registry.counter(own + "failed_total", "Choices that the engine failed.")
        cancelled = registry.counter(own + "cancelled_total", "Choices cancelled by their caller.")
        promptTokens = registry.counter(
            "vllm:prompt_tokens_total", "Prompt tokens of finished choices, cached ones included.")
        generatedTokens = registry.counter("vllm:generation_tokens_total", "Tokens generated.")
        journalFailures = registry.counter(
            own + "journal_failures_total",
            "Steps whose tokens could not be written to the journal.")
        outputPauses = registry.counter(
            own + "output_pauses_total", "Times that a slow reader paused its sequences.")

        embeddingTokens = registry.counter(
            own + "embedding_tokens_total", "Tokens of inputs whose embedding was computed.")
        stepTime = registry.histogram(
            own + "step_seconds", "Engine steps.",
            buckets: HistogramBuckets(seconds: Self.stepBounds))
        batchTokens = registry.histogram(
            own + "step_tokens", "Tokens in a step, decodes and prefill.", buckets: .tokens)
        steps = registry.counter(own + "steps_total", "Engine steps.")
        preemptions = registry.counter(
            "vllm:num_preemptions_total", "Requests that lost their slot for a while.")
        yieldedSlots = registry.counter(
            own + "yielded_slots_total", "Preemptions for the sake of a better tier.")
        skippedDecodes = registry.counter(
            own + "skipped_decodes_total", "Decodes left out of a step for a better tier's sake.")
        evictions = registry.counter(
            own + "prefix_evictions_total", "Idle prefixes dropped for room.")
        cacheSpaceFailures = registry.counter(
            own + "cache_space_failures_total", "Steps refused for lack of KV space.")
        prefixQueries = registry.counter(
            "vllm:prefix_cache_queries_total", "Prompt tokens looked up in resident prefixes.")
        prefixHits = registry.counter(
            "vllm:prefix_cache_hits_total", "Prompt tokens found in resident prefixes.")
        busyNanoseconds = registry.counter(
            own + "busy_nanoseconds_total", "Wall time of the engine thread with work.")
        executeNanoseconds = registry.counter(
            own + "execute_nanoseconds_total", "Wall time inside engine steps.")
        decodeNanoseconds = registry.counter(
            own + "decode_nanoseconds_total", "Wall time inside the model's computation.")
        registerGauges(report)
    }

    /// Bounds of step durations, in seconds.
    private static let stepBounds = [
        0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.06,
        0.08, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2, 5, 10,
    ]

    private func registerGauges(_ report: @escaping @Sendable () -> EngineReport) {
        let own = "switchyard_worker_"
        func gauge(
            _ name: String, _ help: String, _ value: @escaping @Sendable (SchedulerLoad) -> Int
        ) {
            registry.gauge(name, help) { Double(value(report().load)) }
        }
        gauge("vllm:num_requests_running", "Requests with a slot.") { $0.running }
        gauge("vllm:num_requests_waiting", "Requests that wait for a slot.") { $0.waiting }
        registry.gauge("vllm:kv_cache_usage_perc", "Part of the KV cells that requests use.") {
            report().load.activeCellFraction
        }
        gauge(own + "parked", "Preempted requests whose reader is slow.") { $0.parked }
        gauge(own + "slots", "Requests that can run at once.") { $0.slots }
        gauge(own + "kv_cells", "KV cells.") { $0.totalCells }
        gauge(own + "kv_cells_used", "KV cells in use, idle prefixes included.") { $0.usedCells }
        gauge(own + "kv_cells_idle", "KV cells that hold idle prefixes only.") { $0.idleCells }
        gauge(own + "cached_prefixes", "Idle sequences kept for their prefix.") {
            $0.cachedPrefixes
        }
        gauge(own + "queued_prefill_tokens", "Prompt tokens not yet computed.") {
            $0.queuedPrefillTokens
        }
    }

    /// Counts what a step changed. On the engine thread.
    func observe(
        step shape: StepShape, nanoseconds: Int64, from old: EngineReport, to new: EngineReport
    ) {
        stepTime.observe(nanoseconds)
        batchTokens.observe(Int64(shape.tokens))
        steps.increment()
        add(preemptions, old.load.preemptions, new.load.preemptions)
        add(yieldedSlots, old.load.yieldedSlots, new.load.yieldedSlots)
        add(skippedDecodes, old.load.skippedDecodes, new.load.skippedDecodes)
        add(evictions, old.load.evictions, new.load.evictions)
        add(cacheSpaceFailures, old.load.cacheSpaceFailures, new.load.cacheSpaceFailures)
        add(prefixQueries, old.load.prefixQueryTokens, new.load.prefixQueryTokens)
        add(prefixHits, old.load.prefixHitTokens, new.load.prefixHitTokens)
        add(generatedTokens, old.load.generatedTokens, new.load.generatedTokens)
        add(busyNanoseconds, old.time.busyNanoseconds, new.time.busyNanoseconds)
        add(executeNanoseconds, old.time.executeNanoseconds, new.time.executeNanoseconds)
        add(decodeNanoseconds, old.time.decodeNanoseconds, new.time.decodeNanoseconds)
    }

    private func add<Number: BinaryInteger>(_ counter: Counter, _ old: Number, _ new: Number) {
        if new > old { counter.increment(by: UInt64(new - old)) }
    }

    /// Counts a choice's end and its delays. On the event loop of its call.
    func observe(_ request: FinishedRequest, at instant: Instant) {
        finished[FinishLabel(request.reason)].increment()
        promptTokens.increment(by: UInt64(request.usage.promptTokens))
        let timing = request.timing
        endToEnd.observe(instant.nanoseconds(since: timing.submitted))
        guard let admitted = timing.admitted else { return }
        queueTime.observe(admitted.nanoseconds(since: timing.submitted))
        guard let first = timing.firstToken, let last = timing.lastToken else { return }
        prefillTime.observe(first.nanoseconds(since: admitted))
        decodeTime.observe(last.nanoseconds(since: first))
    }
}

extension WorkerMetrics.FinishLabel {
    init(_ reason: FinishReason) {
        switch reason {
        case .endOfSequence, .stopToken, .stopString, .toolCalls: self = .stop
        case .maxTokens, .contextFull, .timeLimit, .budget: self = .length
        case .cancelled: self = .abort
        }
    }
}

extension SchedulerLoad {
    /// KV cells of requests as a part of all: what cannot be freed without ending or pausing one.
    var activeCellFraction: Double {
        totalCells > 0 ? Double(usedCells - idleCells) / Double(totalCells) : 0
    }
}
