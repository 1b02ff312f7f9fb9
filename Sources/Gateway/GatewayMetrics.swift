import InferenceAPI
import InferenceTypes
import Metrics

/// How a request ended, as a metric label: `finished`, `client_closed`, or an error's kind.
enum RequestOutcome: MetricLabelValue {
    case finished
    case clientClosed
    /// Its answer is fetched later.
    case accepted
    case failed(APIErrorKind)

    static var allCases: [RequestOutcome] {
        [.finished, .clientClosed, .accepted]
            + APIErrorKind.allCases.filter { $0 != .clientClosed }.map { .failed($0) }
    }

    var metricLabel: String {
        switch self {
        case .finished: "finished"
        case .clientClosed: "client_closed"
        case .accepted: "accepted"
        case .failed(let kind): kind.rawValue
        }
    }
}

/// All metrics of the gateway, named once. Any thread may count; the admin thread scrapes.
///
/// The `vllm:` names are aliases that autoscalers and dashboards look for.
struct GatewayMetrics: Sendable {
    let registry = MetricsRegistry()

    /// From the request's head to its first generated token.
    let timeToFirstToken: Histogram
    /// Between deliveries of tokens of one choice.
    let interTokenLatency: Histogram
    /// From the request's head to the end of its answer; finished requests only.
    let endToEnd: Histogram
    /// From the end of preparation to the grant of a worker.
    let queueTime: Histogram
    let promptTokens: Counter
    let cachedTokens: Counter
    let completionTokens: Counter
    let retries: Counter
    let resumes: Counter
    /// Of what was accepted earlier.
    let jobs: MetricFamily<JobOutcomeLabel, Counter>
    private let requests: MetricFamily<RequestOutcome, Counter>
    private let finishes: MetricFamily<FinishLabel, Counter>
    private let open: Gauge
    private let reloadSucceeded: Gauge

    enum JobOutcomeLabel: String, MetricLabelValue {
        case succeeded, failed, cancelled
        /// It goes on later.
        case postponed
    }

    enum FinishLabel: String, MetricLabelValue {
        case stop
        case length
    }

    init(
        status: FleetStatus, levels: ServiceLevels, accessLog: AccessLog? = nil,
        spans: SpanQueue? = nil
    ) {
        timeToFirstToken = registry.histogram(
            "switchyard_time_to_first_token_seconds",
            "Request received to first generated token.", buckets: .timeToFirstToken)
        interTokenLatency = registry.histogram(
            "switchyard_inter_token_latency_seconds",
            "Gap between deliveries of tokens of one choice.", buckets: .timePerOutputToken)
        endToEnd = registry.histogram(
            "switchyard_e2e_request_latency_seconds",
            "Request received to end of answer, finished requests.", buckets: .requestLatency)
        queueTime = registry.histogram(
            "switchyard_request_queue_time_seconds",
            "Waiting at the gateway for a worker.", buckets: .requestLatency)
        promptTokens = registry.counter(
            "switchyard_prompt_tokens_total", "Prompt tokens of ended requests.")
        cachedTokens = registry.counter(
            "switchyard_cached_tokens_total", "Prompt tokens that were resident at the worker.")
        completionTokens = registry.counter(
            "switchyard_generation_tokens_total", "Tokens generated for ended requests.")
        retries = registry.counter(
            "switchyard_retries_total",
            "Choices queued again because their worker was lost before the first token.")
        resumes = registry.counter(
            "switchyard_resumes_total",
            "Choices continued on another worker because theirs was lost after the first token.")
        requests = registry.counters(
            "switchyard_requests_total", "Requests by how they ended.", by: "outcome")
        jobs = registry.counters(
            "switchyard_jobs_total",
            "Runs of deferred, background and batch requests by how they ended.", by: "outcome")
        finishes = registry.counters(
            "switchyard_finished_choices_total", "Choices by finish reason.",
            by: "finished_reason")
        open = registry.gauge("switchyard_requests_open", "Requests accepted and not ended.")
        reloadSucceeded = registry.gauge(
            "switchyard_config_last_reload_successful",
            "Whether the last reload, or the start, put its configuration in force (1 or 0).")
        reloadSucceeded.set(1)
        registerFleet(status)
        registerPools(status)
        registerAdmission(status)
        registerWorkers(status)
        register(levels)
        if let accessLog {
            registry.gauge(
                "switchyard_access_log_dropped_lines",
                "Lines of the access log dropped so far because its file is too slow."
            ) { Double(accessLog.droppedLines) }
        }
        if let spans { register(spans) }
        registerAliases()
    }

    private func register(_ spans: SpanQueue) {
        registry.gauge(
            "switchyard_otlp_dropped_spans",
            "Spans lost so far: too many waited, or the collector did not take them."
        ) { Double(spans.droppedSpans) }
        registry.gauge(
            "switchyard_otlp_exported_spans", "Spans that the collector has taken so far."
        ) { Double(spans.exportedSpans) }
    }

    private func registerFleet(_ status: FleetStatus) {
        registry.gauge("switchyard_queue_depth", "Choices waiting for a worker.") {
            Double(status.numbers.waiting)
        }
        registry.gauge("switchyard_in_flight", "Choices handed to workers.") {
            Double(status.numbers.inFlight)
        }
        registry.gauge("switchyard_workers_ready", "Workers that take requests.") {
            Double(status.numbers.readyWorkers)
        }
        registry.gauge("switchyard_workers_known", "Workers registered.") {
            Double(status.numbers.workers)
        }
        registry.gauge("switchyard_slots_ready", "Slots of ready workers.") {
            Double(status.numbers.readySlots)
        }
        registry.gauge(
            "switchyard_queued_seconds_per_slot",
            "Predicted time that the ready workers need for what waits: scale by this."
        ) { status.numbers.queuedSecondsPerSlot }
        registry.gauge("vllm:num_requests_waiting", "Alias of switchyard_queue_depth.") {
            Double(status.numbers.waiting)
        }
        registry.gauge("vllm:num_requests_running", "Alias of switchyard_in_flight.") {
            Double(status.numbers.inFlight)
        }
    }

    private func registerAliases() {
        registry.histogram(
            "vllm:time_to_first_token_seconds",
            "Alias of switchyard_time_to_first_token_seconds.", showing: timeToFirstToken)
        registry.histogram(
            "vllm:inter_token_latency_seconds",
            "Alias of switchyard_inter_token_latency_seconds.", showing: interTokenLatency)
        registry.histogram(
            "vllm:e2e_request_latency_seconds",
            "Alias of switchyard_e2e_request_latency_seconds.", showing: endToEnd)
        registry.histogram(
            "vllm:request_queue_time_seconds",
            "Alias of switchyard_request_queue_time_seconds.", showing: queueTime)
    }

    func reloaded(succeeded: Bool) {
        reloadSucceeded.set(succeeded ? 1 : 0)
    }

    func requestStarted() {
        open.increment()
    }

    func choiceFinished(_ reason: FinishReason) {
        finishes[reason.isLength ? .length : .stop].increment()
    }

    /// A request that ended without a generation.
    func refused(_ error: APIError) {
        requests[.failed(error.kind)].increment()
    }

    /// Failed requests never enter the latency histograms.
    func requestEnded(_ end: GenerationEnd, usage: Usage, nanoseconds: Int64) {
        open.decrement()
        promptTokens.increment(by: UInt64(usage.promptTokens))
        cachedTokens.increment(by: UInt64(usage.cachedTokens))
        completionTokens.increment(by: UInt64(usage.completionTokens))
        switch end {
        case .finished:
            requests[.finished].increment()
            endToEnd.observe(nanoseconds)
        case .accepted:
            requests[.accepted].increment()
        case .abandoned:
            requests[.clientClosed].increment()
        case .failed(let error):
            requests[error.kind == .clientClosed ? .clientClosed : .failed(error.kind)].increment()
        }
    }
}

extension FinishReason {
    fileprivate var isLength: Bool {
        switch self {
        case .endOfSequence, .stopToken, .stopString, .toolCalls: false
        case .maxTokens, .contextFull, .timeLimit, .budget, .cancelled: true
        }
    }
}
