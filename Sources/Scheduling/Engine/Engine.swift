package import InferenceTypes

/// What runs a step: llama.cpp, or a simulation of it.
///
/// Owned by the engine thread, which alone calls it. The scheduler never sees the engine: it makes
/// plans and is told results, so that the live worker and the simulator drive it alike.
package protocol Engine: ~Copyable {
    /// Constant for the engine's life.
    var properties: EngineProperties { get }

    /// Carries out one plan: cache operations in order, sampler operations in order, then all
    /// entries as one batch, then one sample for each entry that asks for one.
    ///
    /// Throws `noCacheSpace` when no entry was computed but all cache and sampler operations were
    /// carried out; after any other error the content of the cache is unknown.
    mutating func execute(_ plan: StepPlan) throws(EngineError) -> StepResult
}

/// Why a step failed.
package enum EngineError: Error, Hashable, Sendable {
    /// The KV cache has no room for the batch. Nothing of the batch was computed; cache and sampler
    /// operations were carried out (llama.cpp: `llama_decode` returned 1).
    case noCacheSpace
    /// The engine is broken or was aborted: `code` is the library's own, `message` for the log.
    case failed(code: Int32, message: String)
}

/// What the scheduler must know of an engine.
package struct EngineProperties: Hashable, Sendable {
    /// Most tokens, prompt and output together, of one sequence.
    package var contextTokens: Int
    /// KV cells shared by all sequences (unified cache; llama.cpp: `n_ctx`).
    package var cacheCells: Int
    /// Sequence ids are 0..<maxSequences (llama.cpp: at most 256).
    package var maxSequences: Int
    /// Most tokens of one plan (llama.cpp: `n_batch`).
    package var batchTokens: Int
    /// Token ids are 0..<vocabularySize.
    package var vocabularySize: Int
    /// False for recurrent and hybrid models, whose sequences can only be cleared whole. Then no
    /// plan has `copy` or `truncate`, and prefixes are not reused.
    package var supportsPartialRemoval: Bool
    /// The vocabulary's end-of-generation tokens, ascending. For information: what ends a sequence
    /// is `SampledToken.isEndOfGeneration`.
    package var endOfGenerationTokens: [TokenID]

    package init(
        contextTokens: Int, cacheCells: Int, maxSequences: Int, batchTokens: Int,
        vocabularySize: Int, supportsPartialRemoval: Bool = true,
        endOfGenerationTokens: [TokenID] = []
    ) {
        self.contextTokens = contextTokens
        self.cacheCells = cacheCells
        self.maxSequences = maxSequences
        self.batchTokens = batchTokens
        self.vocabularySize = vocabularySize
        self.supportsPartialRemoval = supportsPartialRemoval
        self.endOfGenerationTokens = endOfGenerationTokens
    }

    /// Most tokens of one request, prompt and output together: what its context and the whole cache
    /// can hold.
    package var requestTokensMax: Int { min(contextTokens, cacheCells) }
}
