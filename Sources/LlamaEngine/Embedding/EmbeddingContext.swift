internal import CLlama
internal import Glibc
internal import InferenceTypes

/// A context of its own for embeddings, on the engine's weights: what it computes disturbs neither
/// KV cache nor outputs of the steps. One input at a time, in chunks. Owned by the engine thread.
///
/// A vector is the mean of the last hidden states. The library's own pooling wants an input in one
/// batch; attention looks backwards only, so the states come out the same in chunks, and the mean
/// is made here.
@safe struct EmbeddingContext: ~Copyable {
    private let context: ContextHandle
    private var batch: BatchBuffer
    private let dimensions: Int

    /// `session` outlives it.
    init(
        _ session: borrowing Session, tokensMax: Int, chunkTokens: Int, threads: Int
    ) throws(LlamaEngineError) {
        var parameters = unsafe llama_context_default_params()
        unsafe parameters.n_ctx = UInt32(clamping: tokensMax)
        unsafe parameters.n_seq_max = 1
        unsafe parameters.n_batch = UInt32(clamping: chunkTokens)
        unsafe parameters.n_ubatch = UInt32(clamping: chunkTokens)
        unsafe parameters.n_outputs_max = UInt32(clamping: chunkTokens)
        unsafe parameters.n_threads = Int32(threads)
        unsafe parameters.n_threads_batch = Int32(threads)
        unsafe parameters.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_AUTO
        unsafe parameters.embeddings = true
        unsafe parameters.pooling_type = LLAMA_POOLING_TYPE_NONE
        unsafe parameters.swa_full = true
        unsafe parameters.no_perf = true
        // Null when memory is short, or the model has no such context.
        guard let pointer = unsafe llama_init_from_model(session.model, parameters) else {
            throw .contextRejected(cells: tokensMax, sequences: 1)
        }
        context = unsafe ContextHandle(owning: pointer)
        session.attachThreads(to: context)
        batch = BatchBuffer(capacity: chunkTokens)
        dimensions = Int(unsafe llama_model_n_embd_out(session.model))
    }

    /// Computes the next chunk of an input; the first one forgets the input before. Returns the
    /// vector, of length 1, when that was the last.
    mutating func advance(
        _ tokens: [TokenID], done: inout Int, sum: inout [Float]
    ) throws(LlamaEngineError) -> [Float]? {
        if done == 0 {
            unsafe llama_memory_clear(llama_get_memory(context.pointer), false)
            sum = [Float](repeating: 0, count: dimensions)
        }
        batch.removeAll()
        let end = min(tokens.count, done + batch.capacity)
        for index in done..<end {
            batch.append(token: tokens[index], position: index, sequence: 0, wantsLogits: true)
        }
        // As `LlamaCppEngine.decode`.
        let code = unsafe batch.decode(context.pointer)
        guard code == 0 else { throw .embeddingFailed(code: code) }
        unsafe llama_synchronize(context.pointer)
        for index in done..<end {
            // Not nil: every token of the batch is an output.
            guard let row = unsafe llama_get_embeddings_ith(context.pointer, Int32(index - done))
            else { fatalError("no embedding of a computed token") }
            for dimension in 0..<dimensions {
                sum[dimension] += unsafe row[dimension]
            }
        }
        done = end
        return end == tokens.count ? Self.normalised(sum) : nil
    }

    /// A mean and a sum have the same direction.
    private static func normalised(_ sum: [Float]) -> [Float] {
        var squares = 0.0
        for value in sum { squares += Double(value) * Double(value) }
        guard squares > 0 else { return sum }
        let factor = 1 / squares.squareRoot()
        return sum.map { Float(Double($0) * factor) }
    }
}
