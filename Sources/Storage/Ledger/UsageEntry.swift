/// What a token costs, in USD ticks: 10⁻¹⁰ USD, as in xAI's `cost_in_usd_ticks`.
package struct UsagePrice: Hashable, Sendable {
    package var prompt: Int64
    /// Of prompt tokens whose KV was there already.
    package var cached: Int64
    /// Of visible output and reasoning.
    package var completion: Int64

    package init(prompt: Int64, cached: Int64, completion: Int64) {
        self.prompt = prompt
        self.cached = cached
        self.completion = completion
    }

    /// In USD ticks; an amount beyond what fits is the greatest that does.
    package func ticks(prompt tokens: Int, cached: Int, generated: Int) -> Int64 {
        let parts = [
            (self.prompt, max(0, tokens - cached)), (self.cached, cached), (completion, generated),
        ]
        return parts.reduce(into: Int64(0)) { sum, part in
            let (product, isHuge) = part.0.multipliedReportingOverflow(by: Int64(part.1))
            let (next, overflows) = sum.addingReportingOverflow(isHuge ? .max : product)
            sum = overflows ? .max : next
        }
    }
}

/// All that is known of what a request used, so far: what is recorded of it already is subtracted.
package struct UsageEntry: Hashable, Sendable {
    /// Unique for the request; one that is run again keeps its own.
    package var usageID: String
    package var requestID: String
    /// Unix milliseconds.
    package var timeMilliseconds: Int64
    package var tenant: String
    package var application = ""
    /// Never the key itself; empty for requests without one.
    package var keyID: String
    package var model: String
    /// What was granted, as `ServiceTier` names it.
    package var tier: String
    package var promptTokens = 0
    package var cachedTokens = 0
    /// Tokens that were generated for each choice, reasoning included: the number of its distinct
    /// positions. Empty for what generates nothing.
    package var positions: [Int] = []
    /// How many of them were reasoning.
    package var reasoningTokens = 0
    /// How many of them no client was sent.
    package var undeliveredTokens = 0
    /// As in the access log; several with commas.
    package var finishReason = ""
    /// Nil: it has none.
    package var price: UsagePrice?

    package init(
        usageID: String, requestID: String, timeMilliseconds: Int64, tenant: String,
        keyID: String, model: String, tier: String
    ) {
        self.usageID = usageID
        self.requestID = requestID
        self.timeMilliseconds = timeMilliseconds
        self.tenant = tenant
        self.keyID = keyID
        self.model = model
        self.tier = tier
    }
}

/// One row of the ledger. A settlement is written once; what is learned of the same request later
/// is an adjustment, whose numbers are added to it.
package struct UsageRow: Hashable, Sendable {
    package enum Kind: String, Hashable, Sendable {
        case settlement, adjustment
    }

    /// 1, 2, 3, … without gaps.
    package var sequence: Int64
    package var kind: Kind
    /// What is known with this row: `positions` of all rows so far, the other numbers of this one.
    package var entry: UsageEntry
    package var completionTokens: Int
    /// Nil: there is no price.
    package var ticks: Int64?
    /// SHA-256 over the previous row's hash and this row's canonical bytes, lower-case hexadecimal.
    package var hash: String
}
