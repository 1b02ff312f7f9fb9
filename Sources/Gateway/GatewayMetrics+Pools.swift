import Metrics

/// What is told of each pool. The label `pool` is its name in the configuration.
extension GatewayMetrics {
    func registerPools(_ status: FleetStatus) {
        func gauges(
            _ name: String, _ help: String,
            _ value: @escaping @Sendable (FleetStatus.Numbers) -> Double
        ) {
            registry.gauges("switchyard_pool_\(name)", help) {
                status.pools.map { .init([MetricLabel("pool", $0.pool)], value($0)) }
            }
        }
        gauges("queue_depth", "Choices waiting for a worker of the pool.") { Double($0.waiting) }
        gauges("in_flight", "Choices handed to the pool's workers.") { Double($0.inFlight) }
        gauges("workers_ready", "Workers of the pool that take requests.") {
            Double($0.readyWorkers)
        }
        gauges("slots_ready", "Slots of the pool's ready workers.") { Double($0.readySlots) }
        gauges(
            "queued_seconds_per_slot",
            "Predicted seconds of work that wait, for each ready slot of the pool: scale by it."
        ) { $0.queuedSecondsPerSlot }
    }
}
