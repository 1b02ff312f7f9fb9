/// A worker's state at an instant, for load reports, routing and metrics. Counters only rise.
package struct SchedulerLoad: Hashable, Sendable {
    /// Requests with a slot, paused ones included.
    package var running = 0
    /// Requests that wait for a slot, preempted ones included.
    package var waiting = 0
    /// Preempted requests whose reader is slow: not eligible for a slot until resumed.
    package var parked = 0
    package var slots = 0
    /// Cells that hold any sequence's tokens, idle ones included.
    package var usedCells = 0
    /// Cells that hold only idle prefixes and are given up when needed.
    package var idleCells = 0
    package var totalCells = 0
    /// Idle sequences kept for their prefix.
    package var cachedPrefixes = 0
    /// Prompt tokens not yet computed, of running and waiting requests.
    package var queuedPrefillTokens = 0
    /// Running requests past their prefill.
    package var decoding = 0

    package var submittedRequests: UInt64 = 0
    package var finishedRequests: UInt64 = 0
    package var cancelledRequests: UInt64 = 0
    package var failedRequests: UInt64 = 0
    package var steps: UInt64 = 0
    /// Tokens computed by prefill entries, recomputation included.
    package var prefilledTokens: UInt64 = 0
    /// Tokens emitted.
    package var generatedTokens: UInt64 = 0
    /// Prompt tokens looked up at admission, and those of them found resident.
    package var prefixQueryTokens: UInt64 = 0
    package var prefixHitTokens: UInt64 = 0
    package var preemptions: UInt64 = 0
    /// Preemptions that gave slot or cells to a better tier.
    package var yieldedSlots: UInt64 = 0
    /// Decodes that were left out of a step for the sake of a better tier.
    package var skippedDecodes: UInt64 = 0
    /// Idle prefixes dropped for room.
    package var evictions: UInt64 = 0
    /// Steps that the engine refused for lack of cache space.
    package var cacheSpaceFailures: UInt64 = 0
    /// Time inside steps.
    package var busyNanoseconds: Int64 = 0

    package init() {}
}
