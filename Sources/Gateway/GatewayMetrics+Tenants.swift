import Metrics

/// What is told of each tenant and tier. The label `tenant` is its id, for the tenants with the
/// most tokens so far; the others are summed up as `other`.
extension GatewayMetrics {
    /// Tenants with series of their own.
    static let tenantLimit = 32

    func register(_ levels: ServiceLevels) {
        func gauges(
            _ name: String, _ help: String,
            _ value: @escaping @Sendable (ServiceLevels.Figures) -> UInt64
        ) {
            registry.gauges(name, help) {
                levels.largest(Self.tenantLimit).map { subject, figures in
                    .init(
                        [
                            MetricLabel("tenant", subject.tenant),
                            MetricLabel("tier", subject.tier.name),
                        ], Double(value(figures)))
                }
            }
        }
        gauges("switchyard_tenant_requests", "Requests that have ended so far.") { $0.requests }
        gauges("switchyard_tenant_finished", "Requests answered so far.") { $0.finished }
        gauges(
            "switchyard_tenant_slo_met",
            "Answered requests so far that met both targets, --slo-ttft-ms and --slo-itl-ms."
        ) { $0.metBoth }
        gauges(
            "switchyard_tenant_slo_ttft_met", "Answered requests so far that met --slo-ttft-ms."
        ) { $0.metFirstToken }
        gauges(
            "switchyard_tenant_slo_itl_met", "Answered requests so far that met --slo-itl-ms."
        ) { $0.metPerToken }
        gauges(
            "switchyard_tenant_limited", "Requests refused so far by limits of their own (429)."
        ) { $0.limited }
        gauges(
            "switchyard_tenant_shed", "Requests refused so far by the fleet's state (503)."
        ) { $0.shed }
        gauges("switchyard_tenant_prompt_tokens", "Prompt tokens so far.") { $0.promptTokens }
        gauges("switchyard_tenant_generation_tokens", "Tokens generated so far.") {
            $0.completionTokens
        }
    }
}
