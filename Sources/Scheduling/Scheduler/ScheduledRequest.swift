import InferenceTypes

/// A request between `submit` and its end.
///
///     submit ─▶ waiting ──admit──▶ running ──▶ ended
///                 ▲  ▲                │
///                 │  └────preempt─────┤ (goes on later)
///               resume                │
///                 │                   │
///               parked ◀──preempt─────┘ (while its reader is slow)
///
/// There is no prefill phase and no decode phase: a request has known tokens and computed tokens
/// (the length of its sequence), and whenever all known ones are computed it gets one more.
struct ScheduledRequest: Sendable {
    enum Phase: Sendable {
        /// In the waiting queue.
        case waiting
        /// Preempted or never started, and its reader is slow: in no queue.
        case parked
        /// Owns a slot and a sequence.
        case running
        /// Over: its place in the slab is unused.
        case ended
    }

    let key: SequenceKey
    /// Order of submission.
    let serial: UInt64
    let parameters: SamplingParameters
    let tier: ServiceTier
    /// Place in `TenantShares`.
    let tenant: Int
    let deadline: Instant?
    /// `WaitingQueue.Item.virtualArrival`.
    let virtualArrival: Int64
    /// Length of the prompt proper; what follows in `tokens` is output, resumed or generated.
    let promptCount: Int
    /// How much of that output came with the request.
    let resumedCount: Int
    let prefixSalt: UInt64?
    /// With whose requests it may share a prefix: `GenerationRequest.tenant`.
    let tenantName: String

    /// Prompt and output.
    var tokens: [TokenID]
    var phase = Phase.waiting
    /// The reader is slow.
    var isPaused = false
    /// A plan in flight has an entry of this request.
    var isInFlight = false
    /// Cancelled while in flight: ends with the step, silently.
    var isCancelled = false
    /// The newest known token was sampled since admission: the next entry is a decode.
    var isDecoding = false
    /// Steps in a row that went without its decode, for the sake of a better tier.
    var skippedSteps = 0
    /// Engine time of its prefill that its tenant was charged for before it was used.
    var advanceNanoseconds: Int64 = 0
    /// Preempted, and no token since: not preempted again while another can be.
    var isSpared = false
    /// The sampling slot has been begun.
    var hasSampler = false
    /// Sampling slot; -1 unless running.
    var slot = -1
    /// KV sequence; -1 unless running.
    var sequence: SequenceID = -1
    /// Tokens in the sequence, not counting a plan in flight; 0 unless running.
    var computed = 0
    /// Tokens known when it got its slot: where the output reserve counts from.
    var admittedCount = 0
    /// Another request that is prefilling a longer common prefix than is resident.
    var leader: Leader?
    /// Resident prefix found at first admission; at most `promptCount`.
    var cachedTokens = 0
    var timing: RequestTiming

    /// Whom a request waits for, to copy `length` tokens of prefix instead of computing them.
    struct Leader: Hashable, Sendable {
        var index: Int
        var serial: UInt64
        var length: Int
    }

    /// Known tokens not yet computed; at least 1 while running.
    var remaining: Int { tokens.count - computed }
    /// Output tokens, resumed ones included.
    var generatedCount: Int { tokens.count - promptCount }

    var usage: Usage {
        Usage(
            promptTokens: promptCount, cachedTokens: cachedTokens,
            completionTokens: generatedCount - resumedCount)
    }

    /// The most tokens that this request may come to have within its context.
    func tokensMax(limit: Int) -> Int {
        guard let most = parameters.maxTokens else { return limit }
        return min(limit, promptCount + min(most, limit))
    }

    /// Cells to keep for this request: its known tokens and the begun block of output reserve.
    func reservedCells(block: Int, limit: Int) -> Int {
        let output = tokens.count - admittedCount
        let reserved = admittedCount + (output / block + 1) * block
        return max(tokens.count, min(reserved, tokensMax(limit: limit)))
    }
}
