internal import CLlama

/// Owns a loaded model.
@safe struct ModelHandle: ~Copyable {
    let pointer: OpaquePointer

    /// Takes over what `llama_model_load_from_file` returned.
    init(owning pointer: OpaquePointer) {
        unsafe self.pointer = pointer
    }

    /// Valid as long as the handle.
    var vocabulary: OpaquePointer {
        guard let vocabulary = unsafe llama_model_get_vocab(pointer) else {
            fatalError("a loaded model has no vocabulary")
        }
        return unsafe vocabulary
    }

    /// Gives the model away.
    consuming func release() -> OpaquePointer {
        let pointer = unsafe pointer
        discard self
        return unsafe pointer
    }

    deinit { unsafe llama_model_free(pointer) }
}

/// Owns a context; the model must outlive it.
@safe struct ContextHandle: ~Copyable {
    let pointer: OpaquePointer

    init(owning pointer: OpaquePointer) {
        unsafe self.pointer = pointer
    }

    /// Gives the context away.
    consuming func release() -> OpaquePointer {
        let pointer = unsafe pointer
        discard self
        return unsafe pointer
    }

    deinit { unsafe llama_free(pointer) }
}

/// Owns a model, a context on it and its compute threads, and frees them in the right order.
@safe struct Session: ~Copyable {
    let context: OpaquePointer
    /// The context's KV cache.
    let memory: OpaquePointer
    let model: OpaquePointer
    private let threads: ggml_threadpool_t?

    /// Starts `threads` compute threads. When they cannot be started the library makes its own for
    /// each step, which is slower.
    init(
        model: consuming ModelHandle, context: consuming ContextHandle, threads: Int, polling: Int
    ) {
        unsafe self.model = model.release()
        unsafe self.context = context.release()
        guard let memory = unsafe llama_get_memory(self.context) else {
            fatalError("a decoder's context has no memory")
        }
        unsafe self.memory = memory
        var parameters = ggml_threadpool_params_default(Int32(threads))
        parameters.poll = UInt32(polling)
        unsafe self.threads = ggml_threadpool_new(&parameters)
        if let threads = unsafe self.threads {
            unsafe llama_attach_threadpool(self.context, threads, threads)
        }
    }

    /// Another context computes on the same threads, never at the same time.
    func attachThreads(to other: borrowing ContextHandle) {
        guard let threads = unsafe threads else { return }
        unsafe llama_attach_threadpool(other.pointer, threads, threads)
    }

    deinit {
        unsafe llama_free(context)
        if let threads = unsafe threads { unsafe ggml_threadpool_free(threads) }
        unsafe llama_model_free(model)
    }
}

/// Memory that grows to what was needed once.
@safe struct TransferBuffer: ~Copyable {
    private(set) var base: UnsafeMutablePointer<UInt8>?
    private var capacity = 0

    /// At least so many bytes; what was there is lost.
    mutating func reserve(_ bytes: Int) {
        guard bytes > capacity else { return }
        unsafe base?.deallocate()
        unsafe base = .allocate(capacity: bytes)
        capacity = bytes
    }

    deinit { unsafe base?.deallocate() }
}

/// A batch's arrays, allocated once and filled anew for each step.
@safe struct BatchBuffer: ~Copyable {
    private var batch: llama_batch
    let capacity: Int

    init(capacity: Int) {
        unsafe batch = llama_batch_init(Int32(capacity), 0, 1)
        self.capacity = capacity
    }

    var count: Int { Int(unsafe batch.n_tokens) }

    mutating func removeAll() {
        unsafe batch.n_tokens = 0
    }

    /// Returns the token's index in the batch.
    @discardableResult
    mutating func append(
        token: Int32, position: Int, sequence: Int32, wantsLogits: Bool
    ) -> Int32 {
        let index = Int(unsafe batch.n_tokens)
        precondition(index < capacity, "a batch of \(capacity) tokens is full")
        unsafe batch.token[index] = token
        unsafe batch.pos[index] = Int32(position)
        unsafe batch.n_seq_id[index] = 1
        unsafe batch.seq_id[index]![0] = sequence
        unsafe batch.logits[index] = wantsLogits ? 1 : 0
        unsafe batch.n_tokens = Int32(index + 1)
        return Int32(index)
    }

    /// 0 done · 1 no room in the KV cache, nothing computed · 2 aborted · -1 invalid batch, nothing
    /// computed · below -1 fatal.
    borrowing func decode(_ context: OpaquePointer) -> Int32 {
        unsafe llama_decode(context, batch)
    }

    deinit { unsafe llama_batch_free(batch) }
}
