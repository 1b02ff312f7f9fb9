internal import CLlama

/// A `llama_model` that was opened for its vocabulary and metadata only.
///
/// The model is immutable after loading and this type only reads it, so the handle may be used from
/// any thread: creation happens before every use because the owner publishes it by its own `let`.
@safe
struct ModelHandle: ~Copyable, @unchecked Sendable {
    let model: OpaquePointer
    let vocabulary: OpaquePointer

    /// About 0.1 s for 49,000 tokens. Nil when the file is not readable as a GGUF; libllama logs
    /// why.
    init?(path: String) {
        LibraryLog.quiet()
        var parameters = unsafe llama_model_default_params()
        unsafe parameters.vocab_only = true
        guard let model = unsafe llama_model_load_from_file(path, parameters),
            let vocabulary = unsafe llama_model_get_vocab(model)
        else { return nil }
        unsafe self.model = model
        unsafe self.vocabulary = vocabulary
    }

    deinit {
        unsafe llama_model_free(model)
    }

    /// A metadata value of the GGUF as text; nil when the key is absent.
    func metadata(_ key: String) -> String? {
        // Returns the length without the terminating NUL, or -1.
        let length = unsafe llama_model_meta_val_str(model, key, nil, 0)
        guard length >= 0 else { return nil }
        var buffer = [CChar](repeating: 0, count: Int(length) + 1)
        _ = unsafe llama_model_meta_val_str(model, key, &buffer, buffer.count)
        return String(decoding: buffer.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// A token's bytes, for control tokens its spelling.
    func piece(_ token: Int32) -> [UInt8] {
        var buffer = [CChar](repeating: 0, count: 64)
        // Returns the length, or the negated length when the buffer is too small.
        var length = unsafe llama_token_to_piece(
            vocabulary, token, &buffer, Int32(buffer.count), 0, true)
        if length < 0 {
            buffer = [CChar](repeating: 0, count: Int(-length))
            length = unsafe llama_token_to_piece(
                vocabulary, token, &buffer, Int32(buffer.count), 0, true)
        }
        return buffer.prefix(Int(max(length, 0))).map { UInt8(bitPattern: $0) }
    }
}
