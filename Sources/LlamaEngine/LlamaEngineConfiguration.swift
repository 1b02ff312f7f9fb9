/// How sequences get their KV cells (llama.cpp: `kv_unified`).
package enum CacheLayout: String, Hashable, Sendable, CaseIterable {
    /// One pool for all: a sequence may take as many as the model's context allows while others
    /// need few, and equal prefixes are kept once. Attention looks at every cell of the pool for
    /// every query, so each step pays for all tokens that are resident.
    case shared
    /// Each sequence has `cacheCells / slots` of its own, those beyond the slots in addition.
    /// Attention looks at a sequence's own cells only. A prefix is shared by copying.
    case separate
}

/// Settings of a llama.cpp engine. Constant for its life, threads excepted.
package struct LlamaEngineConfiguration: Hashable, Sendable {
    /// A GGUF file.
    package var modelPath: String
    /// KV cells of all slots together; 0 means the model's training context.
    package var cacheCells = 0
    package var cacheLayout = CacheLayout.shared
    /// Most tokens of one sequence; 0 means the model's training context. Never more than the
    /// training context or the cells.
    package var contextTokens = 0
    /// Sequences of the KV cache: slots, idle prefixes and parked requests together. 1...256.
    package var maxSequences = 64
    /// Most tokens of one step.
    package var batchTokens = 512
    /// Tokens that the library computes at once; a step of more is cut.
    package var microBatchTokens = 512
    /// Sampling slots. 1...maxSequences.
    package var slots = 16
    /// CPU threads of a step, the calling one included; also samples slots in parallel.
    package var threads = 2
    /// How long idle compute threads spin before they sleep, 0 (not at all)...100.
    package var polling = 0
    /// The only device that weights and cache are put on; nil: as the library likes.
    package var device: ComputeDevice?
    /// Layers on the device, when it is a GPU; negative means all.
    package var gpuLayers: Int32 = -1
    /// Free memory that must be left beyond weights and cache, for compute buffers, sampling and
    /// the rest. See `check`.
    package var memoryMarginBytes = 256 << 20

    /// Longest input of an embedding, and the cells of the context that the first one makes; 0: the
    /// engine makes none.
    package var embeddingTokens = 0

    package init(modelPath: String) {
        self.modelPath = modelPath
    }

    /// `LLAMA_MAX_SEQ` of the library.
    package static let sequencesLimit = 256

    package func validate() throws(LlamaEngineError) {
        try Self.check("cacheCells", cacheCells, 0...Int(Int32.max))
        try Self.check("contextTokens", contextTokens, 0...Int(Int32.max))
        // A stream more, to exchange two with.
        let sequencesMax = Self.sequencesLimit - (cacheLayout == .separate ? 1 : 0)
        try Self.check("maxSequences", maxSequences, 1...sequencesMax)
        try Self.check("batchTokens", batchTokens, 2...65_536)
        try Self.check("microBatchTokens", microBatchTokens, 1...batchTokens)
        try Self.check("slots", slots, 1...maxSequences)
        try Self.check("threads", threads, 1...512)
        try Self.check("embeddingTokens", embeddingTokens, 0...Int(Int32.max))
        try Self.check("polling", polling, 0...100)
    }

    private static func check(
        _ name: String, _ value: Int, _ allowed: ClosedRange<Int>
    ) throws(LlamaEngineError) {
        guard allowed.contains(value) else {
            throw .invalidSetting(name: name, value: "\(value)", allowed: "\(allowed)")
        }
    }
}
