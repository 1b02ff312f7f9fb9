/// Which of a run's kinds of requests one is; known when the run starts. What is nil has no
/// bearing in the run.
package struct RequestClass: Sendable, Hashable, Codable {
    package var tenant: String?
    package var tier: String?
    package var model: String?
    package var scenario: String?

    package init(
        tenant: String? = nil, tier: String? = nil, model: String? = nil, scenario: String? = nil
    ) {
        self.tenant = tenant
        self.tier = tier
        self.model = model
        self.scenario = scenario
    }

    /// For tables: what is set, in this order, with slashes; `all` when nothing is.
    package var name: String {
        let parts = [scenario, tenant, tier, model].compactMap { $0 }
        return parts.isEmpty ? "all" : parts.joined(separator: "/")
    }
}
