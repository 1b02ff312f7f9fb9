/// How much of what a worker reports is the work of others: of other gateways, or of clients of its
/// own.
///
/// A report is a little old when it arrives, and this gateway's tickets are counted when they are
/// placed: between the two some have ended and others are on their way. So the most that this
/// gateway had at either end of the time between two reports is taken off, and what is left counts
/// only if the report before left it too. What others begin is seen one report late; what they end,
/// at once. Owned by the dispatcher, one for each worker.
package struct OtherLoadEstimate: Hashable, Sendable {
    private var ownBefore = 0
    private var otherBefore: Int?

    package init() {}

    /// - Parameters:
    ///   - reported: all work that the worker has.
    ///   - own: what this gateway's tickets hold of it now.
    package mutating func take(reported: WorkerLoad, own: WorkerLoad) -> WorkerLoad {
        let other = max(0, reported.sequences - max(own.sequences, ownBefore))
        let known = min(other, otherBefore ?? other)
        ownBefore = own.sequences
        otherBefore = other
        guard known > 0 else { return .none }
        return WorkerLoad(
            sequences: known,
            prefillTokens: max(0, reported.prefillTokens - own.prefillTokens),
            contextTokens: max(0, reported.contextTokens) * known / reported.sequences)
    }
}
