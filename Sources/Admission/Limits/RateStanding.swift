package import InferenceTypes

/// Whom a limit is for.
package enum LimitScope: Hashable, Sendable {
    case key(KeyNumber)
    case tenant(TenantNumber)
    /// A tenant's use of one model, by the model's name.
    case model(TenantNumber, String)

    package var name: String {
        switch self {
        case .key: "key"
        case .tenant: "tenant"
        case .model: "model"
        }
    }
}

package enum LimitKind: String, Hashable, Sendable, CaseIterable {
    case requestsPerMinute = "requests_per_minute"
    case tokensPerMinute = "tokens_per_minute"
    case concurrentRequests = "concurrent_requests"
}

/// How much of a limit is left: `x-ratelimit-{limit,remaining,reset}-*`.
package struct LimitStanding: Hashable, Sendable {
    /// A minute's.
    package var limit: Int
    package var remaining: Int
    /// Until as much as ever is left.
    package var resetNanoseconds: Int64

    package init(limit: Int, remaining: Int, resetNanoseconds: Int64) {
        self.limit = limit
        self.remaining = remaining
        self.resetNanoseconds = resetNanoseconds
    }

    /// Of two limits for the same, the one that is reached first.
    static func tighter(_ left: LimitStanding?, _ right: LimitStanding) -> LimitStanding {
        guard let left else { return right }
        return (left.remaining, left.limit) <= (right.remaining, right.limit) ? left : right
    }
}

/// Where a request stands with its limits, of all their scopes the tightest. Nil: no limit.
package struct RateStanding: Hashable, Sendable {
    package var requests: LimitStanding?
    package var tokens: LimitStanding?

    package static let unlimited = RateStanding()

    package init(requests: LimitStanding? = nil, tokens: LimitStanding? = nil) {
        self.requests = requests
        self.tokens = tokens
    }
}

/// A caller's own limit was reached; 429 + retry-after.
package struct LimitRefusal: Hashable, Sendable {
    package var kind: LimitKind
    package var scope: LimitScope
    package var limit: Int
    /// After which the request would be let in, if nobody else came.
    package var retryAfterNanoseconds: Int64
    package var standing: RateStanding

    package init(
        kind: LimitKind, scope: LimitScope, limit: Int, retryAfterNanoseconds: Int64,
        standing: RateStanding = .unlimited
    ) {
        self.kind = kind
        self.scope = scope
        self.limit = limit
        self.retryAfterNanoseconds = retryAfterNanoseconds
        self.standing = standing
    }
}
