/// What everybody used: append-only. Calls block; any thread. See `Storage`.
package protocol UsageLedger: Sendable {
    /// Records what is new in `entries`, in one transaction; returns the rows that were written.
    /// What is known already writes nothing, however often it is told.
    func record(_ entries: [UsageEntry]) throws(StorageError) -> [UsageRow]
    /// What each key has used since the ledger began.
    func usageTotals() throws(StorageError) -> [UsageTotal]
    /// Sums of rows, by what `query` asks for, in its order.
    func usage(_ query: UsageQuery) throws(StorageError) -> [UsageSum]
    /// In order, behind row `after`.
    func usageRows(
        _ query: UsageQuery, after: Int64, limit: Int
    ) throws(StorageError) -> [UsageRow]
    /// Reads all rows.
    func verifyUsage() throws(StorageError) -> UsageVerification
}

/// Of one key (empty: without one) of a tenant.
package struct UsageTotal: Hashable, Sendable {
    package var tenant: String
    package var keyID: String
    /// Prompt and everything generated.
    package var tokens: Int64
    package var ticks: Int64

    package init(tenant: String, keyID: String, tokens: Int64, ticks: Int64) {
        self.tenant = tenant
        self.keyID = keyID
        self.tokens = tokens
        self.ticks = ticks
    }
}

package struct UsageQuery: Hashable, Sendable {
    package enum Dimension: String, Hashable, Sendable, CaseIterable {
        case tenant, application, key, model, tier
        /// UTC.
        case day
    }

    /// Sums are apart for each; rows do not look at it.
    package var by: [Dimension] = []
    /// Unix milliseconds; half open.
    package var from: Int64?
    package var to: Int64?
    package var tenant: String?
    package var keyID: String?
    package var model: String?

    package init(by: [Dimension] = []) {
        self.by = by
    }
}

package struct UsageSum: Hashable, Sendable {
    /// `[dimension]` of the query.
    package var values: [String]
    package var requests: Int64
    package var promptTokens: Int64
    package var cachedTokens: Int64
    package var completionTokens: Int64
    package var reasoningTokens: Int64
    package var undeliveredTokens: Int64
    package var ticks: Int64
}
