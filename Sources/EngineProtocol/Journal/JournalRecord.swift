package import InferenceTypes

/// What a worker writes to its journal.
package enum JournalRecord: Hashable, Sendable {
    /// A sequence has tokens to come. Also repeated at the beginning of each further file.
    case begin(JournalBegin)
    /// `positions` tokens of its answer exist now, those before `base` included.
    case tokens(ordinal: UInt64, positions: Int)
    /// Nothing more comes of it.
    case end(ordinal: UInt64, reason: JournalEnd)
}

/// A sequence: one choice on one worker.
package struct JournalBegin: Hashable, Sendable {
    /// Its number in the other records; never used again by this worker.
    package var ordinal: UInt64
    package var usage: UsageIdentity
    /// As in logs.
    package var requestID: String
    package var tenant: String
    package var tier: ServiceTier
    package var model: String
    /// Without resumed tokens.
    package var promptTokens: Int
    /// Prompt tokens that the worker had already.
    package var cachedTokens: Int
    /// Positions of the answer that earlier workers, or this one's earlier file, made.
    package var base: Int

    package init(
        ordinal: UInt64, usage: UsageIdentity, requestID: String, tenant: String,
        tier: ServiceTier, model: String, promptTokens: Int, cachedTokens: Int, base: Int
    ) {
        self.ordinal = ordinal
        self.usage = usage
        self.requestID = requestID
        self.tenant = tenant
        self.tier = tier
        self.model = model
        self.promptTokens = promptTokens
        self.cachedTokens = cachedTokens
        self.base = base
    }
}

/// Why a sequence ended on its worker.
package enum JournalEnd: UInt8, Hashable, Sendable, CaseIterable {
    /// The model ended it, or its length did.
    case finished
    case cancelled
    case failed
}
