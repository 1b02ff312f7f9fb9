/// What a tenant is entitled to of each pool's engine time.
package struct TenantShare: Hashable, Sendable {
    /// Share of what is not guaranteed to others, in proportion to all backlogged tenants' weights;
    /// more than 0.
    package var weight: Double
    /// Part of the pool that the tenant gets under any load of the others, 0...1. What it does not
    /// use is lent out.
    package var guaranteed: Double
    /// Part of the pool that it never exceeds while others wait, 0...1; at least `guaranteed`.
    package var maximum: Double

    package static let equal = TenantShare()

    package init(weight: Double = 1, guaranteed: Double = 0, maximum: Double = 1) {
        self.weight = weight
        self.guaranteed = guaranteed
        self.maximum = maximum
    }
}

/// Limits of a key, of a tenant, or of a tenant's use of one model. Nil: none.
package struct RateLimits: Hashable, Sendable {
    package var requestsPerMinute: Int?
    /// Prompt and completion.
    package var tokensPerMinute: Int?
    package var concurrentRequests: Int?

    package static let none = RateLimits()

    package init(
        requestsPerMinute: Int? = nil, tokensPerMinute: Int? = nil, concurrentRequests: Int? = nil
    ) {
        self.requestsPerMinute = requestsPerMinute
        self.tokensPerMinute = tokensPerMinute
        self.concurrentRequests = concurrentRequests
    }
}
