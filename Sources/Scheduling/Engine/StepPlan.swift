package import InferenceTypes

/// A sequence of the KV cache, 0..<`EngineProperties.maxSequences`.
package typealias SequenceID = Int32

/// Names a request between a scheduler and its caller, who chooses it and uses it once.
package struct SequenceKey: Hashable, Comparable, Sendable {
    package var rawValue: UInt64

    package init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }

    package static func < (left: SequenceKey, right: SequenceKey) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// One step for the engine: change the cache, prepare samplers, compute one batch, sample.
///
/// Flat arrays, so that a step costs a handful of allocations whatever its size.
package struct StepPlan: Hashable, Sendable {
    /// 1 for a scheduler's first plan, then one more each time.
    package var number: UInt64 = 0
    /// Carried out first, in order.
    package var cacheOperations: [CacheOperation] = []
    /// Carried out next, in order. They do not depend on this plan's batch, so an engine may do
    /// them while the batch is computed.
    package var samplerOperations: [SamplerOperation] = []
    /// The batch: decodes first, then prefill chunks. No sequence appears twice.
    package var entries: [StepEntry] = []
    /// The tokens of all entries, one entry after the other.
    package var tokens: [TokenID] = []
    /// What the step consists of, for step logs and time models.
    package var shape = StepShape()
    /// Most tokens this step might have; `tokens.count` is at most this.
    package var budgetTokens = 0
    /// How long the scheduler expects the step to take; 0 while its model knows nothing.
    package var predictedNanoseconds: Int64 = 0

    package init() {}

    /// How many samples the engine owes for this plan.
    package var sampleCount: Int { entries.reduce(0) { $0 + ($1.sample == nil ? 0 : 1) } }
}

/// Consecutive tokens of one sequence to be computed.
package struct StepEntry: Hashable, Sendable {
    /// Whose tokens these are.
    package var key: SequenceKey
    /// Where their KV goes.
    package var sequence: SequenceID
    /// Indices into `StepPlan.tokens`; never empty.
    package var tokenRange: Range<Int>
    /// Position of the first token; the sequence holds exactly the positions before it.
    package var position: Int
    /// Not nil: sample one token from the logits of the last token. Nil: no logits needed.
    package var sample: SampleRequest?
    /// `GenerationRequest.prefixSalt`, for reports of what the cache holds.
    package var prefixSalt: UInt64?

    package init(
        key: SequenceKey, sequence: SequenceID, tokenRange: Range<Int>, position: Int,
        sample: SampleRequest?, prefixSalt: UInt64? = nil
    ) {
        self.key = key
        self.sequence = sequence
        self.tokenRange = tokenRange
        self.position = position
        self.sample = sample
        self.prefixSalt = prefixSalt
    }
}

/// Which sampler draws the token after an entry, and which draw it is.
package struct SampleRequest: Hashable, Sendable {
    /// Sampling slot, 0..<`SchedulerConfiguration.slots`; begun by this or an earlier plan.
    package var slot: Int
    /// Tokens generated so far, resumed ones included. The draw's random number is
    /// `SeededGenerator.unit(seed:counter:)` of the request's seed and this position; minimum
    /// lengths are counted against it as well.
    package var position: Int

    package init(slot: Int, position: Int) {
        self.slot = slot
        self.position = position
    }
}

/// A change of the KV cache's sequences that computes nothing. Lengths are in tokens from
/// position 0.
package enum CacheOperation: Hashable, Sendable {
    /// Positions 0..<length of `from` come to belong to `to` as well, which is empty before. No
    /// cell is copied (llama.cpp: `llama_memory_seq_cp`, unified cache).
    case copy(from: SequenceID, to: SequenceID, length: Int)
    /// Positions from `length` on leave the sequence; a cell is free when no sequence has it.
    case truncate(SequenceID, length: Int)
    /// All positions leave the sequence.
    case clear(SequenceID)
}

/// A change of the sampling slots' state.
package enum SamplerOperation: Hashable, Sendable {
    /// The slot, which is free before, starts to sample for a request.
    case begin(slot: Int, SamplerStart)
    /// The slot is free again.
    case end(slot: Int)
}

/// All that a sampler needs to go on as if it had sampled `generated` itself: a resumed request,
/// or one that was preempted, replays penalties and grammar from it.
package struct SamplerStart: Hashable, Sendable {
    package var key: SequenceKey
    package var parameters: SamplingParameters
    /// The prompt proper, without resumed tokens; repetition penalty counts these.
    package var prompt: ArraySlice<TokenID>
    /// Output so far, in order, resumed tokens first; empty for a fresh request. Its count is the
    /// position of the first draw.
    package var generated: ArraySlice<TokenID>

    package init(
        key: SequenceKey, parameters: SamplingParameters, prompt: ArraySlice<TokenID>,
        generated: ArraySlice<TokenID>
    ) {
        self.key = key
        self.parameters = parameters
        self.prompt = prompt
        self.generated = generated
    }
}
