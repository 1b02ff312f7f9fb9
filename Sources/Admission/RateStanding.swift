/// Where a caller stands with its tightest limits, after a request was let in or refused.
package struct RateStanding: Hashable, Sendable {
    /// One limit, of the scope (key, tenant, tenant's use of a model) with the least left.
    package struct Allowance: Hashable, Sendable {
        /// Per minute.
        package var limit: Int
        /// Now; 0 or more.
        package var remaining: Int
        /// Until it would be full again if nothing came.
        package var resetNanoseconds: Int64

        package init(limit: Int, remaining: Int, resetNanoseconds: Int64) {
            self.limit = limit
            self.remaining = remaining
            self.resetNanoseconds = resetNanoseconds
        }
    }

    /// Nil: not limited.
    package var requests: Allowance?
    package var tokens: Allowance?

    package static let unlimited = RateStanding()

    package init(requests: Allowance? = nil, tokens: Allowance? = nil) {
        self.requests = requests
        self.tokens = tokens
    }
}
