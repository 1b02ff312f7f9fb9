internal import CLlama
internal import InferenceTypes
package import Scheduling

extension LlamaCppEngine {
    /// Tokens of a chunk: on a CPU as few as its kernels like, since steps wait for it; the same
    /// for every input, so that equal inputs have equal vectors.
    private static let chunkTokensOnCPU = 64
    private static let chunkTokensOnGPU = 512

    /// Nil where the model has none, or they are switched off.
    package var embedding: EmbeddingProperties? {
        // A state that cannot be kept apart by position is nothing that was tried.
        guard configuration.embeddingTokens > 0, !model.isRecurrentOrHybrid else { return nil }
        let chunk =
            configuration.device?.kind == .cpu ? Self.chunkTokensOnCPU : Self.chunkTokensOnGPU
        let most = min(configuration.embeddingTokens, model.trainingContextTokens)
        return EmbeddingProperties(
            dimensions: model.embeddingDimensions, tokensMax: most,
            chunkTokens: min(chunk, most))
    }

    /// Computes the next chunk of one input, whose chunks must follow each other. Returns its
    /// vector, of length 1, when it is complete. The first call makes the context.
    package func embed(_ input: inout EmbeddingInput) throws(EngineError) -> [Float]? {
        guard let properties = embedding else {
            throw .failed(code: 0, message: "this model makes no embeddings")
        }
        do throws(LlamaEngineError) {
            if embeddings == nil {
                try checkEmbeddingMemory(properties)
                embeddings = try EmbeddingContext(
                    session, tokensMax: properties.tokensMax,
                    chunkTokens: properties.chunkTokens, threads: threads)
            }
            return try embeddings?.advance(input.tokens, done: &input.done, sum: &input.sum)
        } catch {
            throw .failed(code: 0, message: error.description)
        }
    }

    /// The kernel would rather end the process than refuse it memory.
    private func checkEmbeddingMemory(
        _ properties: EmbeddingProperties
    ) throws(LlamaEngineError) {
        guard let device = configuration.device,
            let header = try? ModelHeader(
                path: configuration.modelPath)
        else { return }
        var settings = configuration
        settings.cacheLayout = .shared
        settings.cacheCells = properties.tokensMax
        var requirement = MemoryRequirement(header, settings)
        requirement.weightBytes = 0
        let free = device.kind == .cpu ? HostMemory.availableBytes() ?? .max : device.freeBytes
        guard requirement.totalBytes <= free else {
            throw .memoryShort(
                device: device.name, requirement: requirement, freeBytes: free)
        }
    }
}
