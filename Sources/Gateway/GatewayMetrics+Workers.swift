import Metrics

/// What is told of each worker. The label `worker` is its number in `switchyard workers list`;
/// at most `Dispatcher.workerMetricsLimit` workers have series.
extension GatewayMetrics {
    func registerWorkers(_ status: FleetStatus) {
        registry.gauges(
            "switchyard_worker_state", "1 for the state that the worker is in."
        ) {
            status.workers.list.map {
                .init([$0.label, MetricLabel("state", $0.state.rawValue)], 1)
            }
        }
        registry.gauges(
            "switchyard_worker_breaker_state", "0 closed, 1 half open, 2 open."
        ) {
            status.workers.list.map { .init([$0.label], $0.breaker.metricValue) }
        }
        registry.gauges("switchyard_worker_in_flight", "Choices handed to the worker.") {
            status.workers.list.map { .init([$0.label], Double($0.inFlight)) }
        }
        registry.gauges(
            "switchyard_worker_others_in_flight",
            "Requests of others that the worker reports to have."
        ) { status.workers.list.map { .init([$0.label], Double($0.otherInFlight)) } }
        registry.gauges("switchyard_worker_slots", "Sequences that the worker runs at once.") {
            status.workers.list.map { .init([$0.label], Double($0.slots)) }
        }
        registry.gauge(
            "switchyard_breaker_openings", "How often a worker's breaker has opened so far."
        ) { Double(status.workers.breakerOpenings) }
        registry.gauge(
            "switchyard_retries_denied",
            "Retries of failed calls that the retry budget has refused so far."
        ) { Double(status.workers.deniedRetries) }
    }
}

extension WorkerStatus {
    fileprivate var label: MetricLabel { MetricLabel("worker", "\(id)") }
}

extension WorkerStatus.Breaker {
    fileprivate var metricValue: Double {
        switch self {
        case .closed: 0
        case .halfOpen: 1
        case .open: 2
        }
    }
}
