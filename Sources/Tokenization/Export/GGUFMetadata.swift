internal import CLlama

/// The key-value part of a GGUF file, for what libllama's own interface does not tell (merges).
///
/// Read whole into memory when opened, tensors left out: 10 ms for 49,000 tokens. The library
/// aborts the process when a value is asked for as another type, so every type is looked at first.
@safe
struct GGUFMetadata: ~Copyable {
    private let context: OpaquePointer

    /// Nil when the file is not readable as a GGUF; the library logs why.
    init?(path: String) {
        LibraryLog.quiet()
        let parameters = unsafe gguf_init_params(no_alloc: true, ctx: nil)
        guard let context = unsafe gguf_init_from_file(path, parameters) else { return nil }
        unsafe self.context = context
    }

    deinit {
        unsafe gguf_free(context)
    }

    /// Nil when the key is absent or no text.
    func string(_ key: String) -> String? {
        let id = unsafe gguf_find_key(context, key)
        guard id >= 0, unsafe gguf_get_kv_type(context, id) == GGUF_TYPE_STRING,
            let text = unsafe gguf_get_val_str(context, id)
        else { return nil }
        return unsafe String(cString: text)
    }

    /// Nil when the key is absent or no list of texts.
    func strings(_ key: String) -> [String]? {
        let id = unsafe gguf_find_key(context, key)
        guard id >= 0, unsafe gguf_get_kv_type(context, id) == GGUF_TYPE_ARRAY,
            unsafe gguf_get_arr_type(context, id) == GGUF_TYPE_STRING
        else { return nil }
        return (0..<(unsafe gguf_get_arr_n(context, id))).map { index in
            unsafe gguf_get_arr_str(context, id, index).map { unsafe String(cString: $0) } ?? ""
        }
    }
}
