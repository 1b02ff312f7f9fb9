import InferenceTypes
import Metrics

/// What is told of waiting and of refusals.
extension GatewayMetrics {
    func registerAdmission(_ status: FleetStatus) {
        registry.gauges(
            "switchyard_tier_queue_depth", "Choices of the tier waiting for a worker."
        ) {
            let waiting = status.numbers.waitingByTier
            return ServiceTier.allCases.map {
                .init([MetricLabel("tier", $0.name)], Double(waiting[Int($0.rawValue)]))
            }
        }
        registry.gauges(
            "switchyard_refused_choices", "Choices refused so far, by why."
        ) {
            let refusals = status.refusals
            return [
                ("queue_full", refusals.queueFull), ("waited_too_long", refusals.waitedTooLong),
                ("would_wait_too_long", refusals.wouldWaitTooLong), ("shed", refusals.shed),
                ("no_worker", refusals.noWorker), ("deadline_passed", refusals.deadlinePassed),
                ("draining", refusals.draining), ("limited", refusals.limited),
            ].map { .init([MetricLabel("reason", $0.0)], Double($0.1)) }
        }
        registry.gauges(
            "switchyard_predicted_waits",
            "Choices so far whose wait was within the predicted p90, or beyond it."
        ) {
            let predictions = status.predictions
            return [
                .init([MetricLabel("outcome", "kept")], Double(predictions.kept)),
                .init([MetricLabel("outcome", "exceeded")], Double(predictions.exceeded)),
            ]
        }
    }
}
