/// What a tenant or one of its keys may do. What is nil is not limited here; where both say
/// something, both hold. As it is kept, asked for and answered: its names are those of the JSON.
package struct Terms: Codable, Hashable, Sendable {
    /// As `RateLimits`.
    package struct Limits: Codable, Hashable, Sendable {
        package var requestsPerMinute: Int?
        /// Prompt and completion.
        package var tokensPerMinute: Int?
        package var concurrentRequests: Int?

        package enum CodingKeys: String, CodingKey, CaseIterable {
            case requestsPerMinute = "requests_per_minute"
            case tokensPerMinute = "tokens_per_minute"
            case concurrentRequests = "concurrent_requests"
        }

        package init() {}
    }

    // Of tenants and of keys.
    /// Names of models, `*` standing for any text.
    package var models: [String]?
    /// Names of endpoints (`Endpoint.Operation`), as above.
    package var endpoints: [String]?
    /// The best tier that is granted, as `ServiceTier` names it.
    package var tier: String?
    package var limits: Limits?
    /// In all, prompt and completion.
    package var tokenBudget: Int64?
    /// In all, in 10⁻¹⁰ USD.
    package var usdTicksBudget: Int64?
    /// Unix seconds from which on requests are refused.
    package var expires: Int64?

    // Of tenants only.
    package var weight: Double?
    /// Of each pool's engine time, 0...1.
    package var guaranteedShare: Double?
    package var maximumShare: Double?
    /// Pools that are this tenant's: it uses no others, and no other tenant uses them.
    package var pools: [String]?
    /// By model: of the tenant's use of that one.
    package var modelLimits: [String: Limits]?
    /// How long anything that the tenant stores is kept at most, in seconds; 0: nothing is stored.
    package var retentionSeconds: Int64?

    package enum CodingKeys: String, CodingKey, CaseIterable {
        case models, endpoints, tier, limits, expires, weight, pools
        case tokenBudget = "token_budget"
        case usdTicksBudget = "usd_ticks_budget"
        case guaranteedShare = "guaranteed_share"
        case maximumShare = "maximum_share"
        case modelLimits = "model_limits"
        case retentionSeconds = "retention_seconds"
    }

    /// Which make no sense for a key.
    package static let ofTenantsOnly: [CodingKeys] = [
        .weight, .guaranteedShare, .maximumShare, .pools, .modelLimits, .retentionSeconds,
    ]

    package init() {}
}
