/// Settings of a llama.cpp engine. Constant for its life, threads excepted.
package struct LlamaEngineConfiguration: Hashable, Sendable {
    /// A GGUF file.
    package var modelPath: String
    /// KV cells shared by all sequences; 0 means the model's training context.
    package var cacheCells = 0
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
    /// Layers on the GPU, where there is one; negative means all.
    package var gpuLayers: Int32 = -1

    package init(modelPath: String) {
        self.modelPath = modelPath
    }

    /// `LLAMA_MAX_SEQ` of the library.
    package static let sequencesLimit = 256

    package func validate() throws(LlamaEngineError) {
        try Self.check("cacheCells", cacheCells, 0...Int(Int32.max))
        try Self.check("contextTokens", contextTokens, 0...Int(Int32.max))
        try Self.check("maxSequences", maxSequences, 1...Self.sequencesLimit)
        try Self.check("batchTokens", batchTokens, 2...65_536)
        try Self.check("microBatchTokens", microBatchTokens, 1...batchTokens)
        try Self.check("slots", slots, 1...maxSequences)
        try Self.check("threads", threads, 1...512)
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
