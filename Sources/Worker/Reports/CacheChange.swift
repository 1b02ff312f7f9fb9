import InferenceTypes
import Scheduling

/// What a step did to the KV cache's sequences: as much as the engine thread says of it.
struct CacheChange: Sendable {
    var operations: [CacheOperation]
    /// Of `StepPlan.entries`, when the engine computed them.
    var entries: [Growth]
    /// The tokens of all entries, one entry after the other.
    var tokens: [TokenID]

    struct Growth: Sendable {
        var sequence: SequenceID
        var position: Int
        var tokenCount: Int
        /// `GenerationRequest.prefixSalt`.
        var salt: UInt64?
    }
}
