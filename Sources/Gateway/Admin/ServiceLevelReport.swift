import InferenceTypes

/// The answer to `GET /admin/v1/slo`: how each tenant and tier was served since the gateway began.
struct ServiceLevelReport: Encodable {
    struct Entry: Encodable {
        var tenant: String
        var tier: String
        var requests: UInt64
        var finished: UInt64
        /// Share of `finished`, 0...1; nil without any.
        var ttftAttainment: Double?
        var itlAttainment: Double?
        var attainment: Double?
        var limited: UInt64
        var shed: UInt64
        var promptTokens: UInt64
        var completionTokens: UInt64

        enum CodingKeys: String, CodingKey {
            case tenant, tier, requests, finished, attainment, limited, shed
            case ttftAttainment = "ttft_attainment"
            case itlAttainment = "itl_attainment"
            case promptTokens = "prompt_tokens"
            case completionTokens = "completion_tokens"
        }
    }

    /// The targets in force now; requests were measured against those at their end.
    var ttftMilliseconds: Int
    var itlMilliseconds: Int
    var tenants: [Entry]

    enum CodingKeys: String, CodingKey {
        case tenants
        case ttftMilliseconds = "ttft_target_ms"
        case itlMilliseconds = "itl_target_ms"
    }

    init(_ core: GatewayCore) {
        let limits = core.serving.current.configuration.limits
        ttftMilliseconds = limits.sloTTFTMilliseconds
        itlMilliseconds = limits.sloITLMilliseconds
        tenants = core.serviceLevels.list.map { subject, figures in
            func share(_ met: UInt64) -> Double? {
                figures.finished == 0 ? nil : Double(met) / Double(figures.finished)
            }
            return Entry(
                tenant: subject.tenant, tier: subject.tier.name, requests: figures.requests,
                finished: figures.finished, ttftAttainment: share(figures.metFirstToken),
                itlAttainment: share(figures.metPerToken), attainment: share(figures.metBoth),
                limited: figures.limited, shed: figures.shed, promptTokens: figures.promptTokens,
                completionTokens: figures.completionTokens)
        }
    }
}
