internal import CLlama
internal import Glibc
internal import InferenceTypes

/// What is known of a loaded model.
package struct ModelFacts: Hashable, Sendable {
    /// The library's summary: architecture, size, weight type.
    package var summary: String
    package var trainingContextTokens: Int
    package var parameters: UInt64
    package var bytes: UInt64
    /// Of the last hidden states.
    package var embeddingDimensions: Int
    /// State that cannot be cut at a position.
    package var isRecurrentOrHybrid: Bool

    init(_ model: borrowing ModelHandle) {
        var buffer = [CChar](repeating: 0, count: 256)
        let length = unsafe llama_model_desc(model.pointer, &buffer, buffer.count)
        let kept = min(max(0, Int(length)), buffer.count - 1)
        summary = String(decoding: buffer[..<kept].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        trainingContextTokens = Int(unsafe llama_model_n_ctx_train(model.pointer))
        parameters = unsafe llama_model_n_params(model.pointer)
        bytes = unsafe llama_model_size(model.pointer)
        embeddingDimensions = Int(unsafe llama_model_n_embd_out(model.pointer))
        isRecurrentOrHybrid =
            unsafe llama_model_is_recurrent(model.pointer) || llama_model_is_hybrid(model.pointer)
    }
}

extension VocabularyFacts {
    init(_ model: borrowing ModelHandle) {
        let vocabulary = unsafe model.vocabulary
        size = Int(unsafe llama_vocab_n_tokens(vocabulary))
        isEndOfGeneration = (0..<size).map { unsafe llama_vocab_is_eog(vocabulary, TokenID($0)) }
        endOfGenerationTokens = []
        for token in 0..<size where isEndOfGeneration[token] {
            endOfGenerationTokens.append(TokenID(token))
        }
    }
}

extension LlamaCppEngine {
    static func load(
        _ configuration: LlamaEngineConfiguration
    ) throws(LlamaEngineError) -> ModelHandle {
        let path = configuration.modelPath
        guard unsafe access(path, R_OK) == 0 else {
            throw .modelUnreadable(path: path, code: errno)
        }
        var parameters = unsafe llama_model_default_params()
        unsafe parameters.n_gpu_layers = configuration.gpuLayers
        // Ends with null; no list at all leaves the choice to the library.
        var devices: [ggml_backend_dev_t?] = unsafe []
        if let device = configuration.device {
            // It names what takes work off the CPU; an empty one leaves all work there.
            unsafe devices.append(nil)
            if device.kind == .cpu {
                unsafe parameters.n_gpu_layers = 0
            } else {
                guard let found = unsafe ggml_backend_dev_by_name(device.libraryName) else {
                    throw .deviceUnknown(name: device.name, known: [])
                }
                unsafe devices.insert(found, at: 0)
                unsafe parameters.split_mode = LLAMA_SPLIT_MODE_NONE
            }
        }
        // Null on any failure; exceptions are caught inside.
        let loaded = unsafe devices.withUnsafeMutableBufferPointer { list in
            unsafe parameters.devices = list.isEmpty ? nil : list.baseAddress
            return unsafe llama_model_load_from_file(path, parameters)
        }
        guard let pointer = unsafe loaded else { throw .modelRejected(path: path) }
        let model = unsafe ModelHandle(owning: pointer)
        let generatesText =
            unsafe llama_model_has_decoder(pointer) && !llama_model_has_encoder(pointer)
            && !llama_model_is_diffusion(pointer)
        guard generatesText else {
            throw .modelUnsupported(path: path, description: ModelFacts(model).summary)
        }
        return model
    }

    static func makeContext(
        _ model: borrowing ModelHandle, _ configuration: LlamaEngineConfiguration, cells: Int
    ) throws(LlamaEngineError) -> ContextHandle {
        var parameters = unsafe llama_context_default_params()
        switch configuration.cacheLayout {
        case .shared:
            unsafe parameters.n_ctx = UInt32(clamping: cells)
            unsafe parameters.n_seq_max = UInt32(configuration.maxSequences)
        case .separate:
            let streams = configuration.maxSequences + 1
            let ownCells = max(1, cells / configuration.slots)
            unsafe parameters.n_ctx = UInt32(clamping: ownCells * streams)
            unsafe parameters.n_seq_max = UInt32(streams)
        }
        unsafe parameters.n_batch = UInt32(configuration.batchTokens)
        unsafe parameters.n_ubatch = UInt32(configuration.microBatchTokens)
        // At least n_seq_max, or the library asserts; fewer than n_batch saves compute buffers.
        unsafe parameters.n_outputs_max = parameters.n_seq_max
        unsafe parameters.n_threads = Int32(configuration.threads)
        unsafe parameters.n_threads_batch = Int32(configuration.threads)
        unsafe parameters.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_AUTO
        unsafe parameters.kv_unified = configuration.cacheLayout == .shared
        // A sliding-window cache forgets what a shared prefix needs.
        unsafe parameters.swa_full = true
        unsafe parameters.no_perf = true
        guard let pointer = unsafe llama_init_from_model(model.pointer, parameters) else {
            throw .contextRejected(cells: cells, sequences: configuration.maxSequences)
        }
        return unsafe ContextHandle(owning: pointer)
    }

    /// Computes two tokens, which loads the weights into memory, and takes the second one out
    /// again. Returns whether that was possible.
    static func warmUp(
        _ context: borrowing ContextHandle, _ batch: inout BatchBuffer
    ) throws(LlamaEngineError) -> Bool {
        batch.removeAll()
        batch.append(token: 0, position: 0, sequence: 0, wantsLogits: false)
        batch.append(token: 0, position: 1, sequence: 0, wantsLogits: true)
        let code = unsafe batch.decode(context.pointer)
        guard code == 0 else { throw .warmUpFailed(code: code) }
        unsafe llama_synchronize(context.pointer)
        let memory = unsafe llama_get_memory(context.pointer)
        let isPartial = unsafe llama_memory_seq_rm(memory, 0, 1, -1)
        unsafe llama_memory_clear(memory, true)
        return isPartial
    }
}
