internal import CLlama
internal import Glibc

/// What a GGUF file says of its model, read without its weights.
package struct ModelHeader: Hashable, Sendable {
    /// `llama`, `qwen3`, `bert`.
    package var architecture: String
    /// Tokens that the model was trained to look back on; nil where the file does not say.
    package var trainingContextTokens: Int?
    package var layers: Int
    /// Of the weights, those in further files of a split model included.
    package var weightBytes: Int
    /// Of keys and values in half precision, for one token in all layers. 0 for models without
    /// attention, whose state does not grow.
    package var cacheBytesPerToken: Int
    /// Why the model makes no text token by token, such as an embedding model; nil: it may.
    package var unsuitability: String?

    /// Throws `modelUnreadable`, and `modelRejected` for a file that is no GGUF or lacks an
    /// architecture.
    package init(path: String) throws(LlamaEngineError) {
        guard unsafe access(path, R_OK) == 0 else {
            throw .modelUnreadable(path: path, code: errno)
        }
        Library.prepare()
        guard let file = GGUF(path: path), let architecture = file.text("general.architecture")
        else { throw .modelRejected(path: path) }
        self.architecture = architecture
        func own(_ key: String) -> [Int]? { file.integers("\(architecture).\(key)") }
        trainingContextTokens = own("context_length")?.first
        layers = own("block_count")?.first ?? 0
        cacheBytesPerToken = Self.cacheBytes(layers: layers, own)
        weightBytes = Self.weightBytes(file, path)
        if own("attention.causal")?.first == 0 {
            unsuitability = "it is an embedding model: its attention looks ahead"
        } else if let pooling = own("pooling_type")?.first, pooling > 0 {
            unsuitability = "it is an embedding model: it pools its tokens into one vector"
        }
    }

    private static func cacheBytes(layers: Int, _ own: (String) -> [Int]?) -> Int {
        let heads = own("attention.head_count") ?? [0]
        let pairs = own("attention.head_count_kv") ?? heads
        let width = own("embedding_length")?.first ?? 0
        return (0..<layers).reduce(0) { sum, layer in
            // One number for all layers, or one for each.
            let all = heads.count == 1 ? heads[0] : layer < heads.count ? heads[layer] : 0
            let kept = pairs.count == 1 ? pairs[0] : layer < pairs.count ? pairs[layer] : 0
            let head = all > 0 ? width / all : 0
            let key = own("attention.key_length")?.first ?? head
            let value = own("attention.value_length")?.first ?? head
            return sum + kept * (key + value) * 2
        }
    }

    /// The first of several files stands for all of them: `-00001-of-00003.gguf`.
    private static func weightBytes(_ file: borrowing GGUF, _ path: String) -> Int {
        var bytes = file.weightBytes
        guard let parts = file.integers("split.count")?.first, parts > 1 else { return bytes }
        let stem = path.dropLast("-00001-of-00001.gguf".count)
        for part in 2...min(parts, partsLimit) {
            let number = padded(part)
            // One that is missing fails the loading, with a better message.
            if let other = GGUF(path: "\(stem)-\(number)-of-\(padded(parts)).gguf") {
                bytes += other.weightBytes
            }
        }
        return bytes
    }

    /// Files of one model that are looked into.
    private static let partsLimit = 1_024

    private static func padded(_ number: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
    }
}

/// An open GGUF file's keys and tensors, without their content.
@safe private struct GGUF: ~Copyable {
    private let context: OpaquePointer

    init?(path: String) {
        let parameters = unsafe gguf_init_params(no_alloc: true, ctx: nil)
        guard let context = unsafe gguf_init_from_file(path, parameters) else { return nil }
        unsafe self.context = context
    }

    func text(_ key: String) -> String? {
        let index = unsafe gguf_find_key(context, key)
        guard index >= 0, unsafe gguf_get_kv_type(context, index) == GGUF_TYPE_STRING else {
            return nil
        }
        return unsafe String(cString: gguf_get_val_str(context, index))
    }

    /// A number or truth value alone, or an array of 32-bit numbers; nil for anything else.
    func integers(_ key: String) -> [Int]? {
        let index = unsafe gguf_find_key(context, key)
        guard index >= 0 else { return nil }
        switch unsafe gguf_get_kv_type(context, index) {
        case GGUF_TYPE_UINT32: return [Int(unsafe gguf_get_val_u32(context, index))]
        case GGUF_TYPE_INT32: return [Int(unsafe gguf_get_val_i32(context, index))]
        case GGUF_TYPE_UINT64: return [Int(clamping: unsafe gguf_get_val_u64(context, index))]
        case GGUF_TYPE_UINT16: return [Int(unsafe gguf_get_val_u16(context, index))]
        case GGUF_TYPE_BOOL: return [unsafe gguf_get_val_bool(context, index) ? 1 : 0]
        case GGUF_TYPE_ARRAY:
            let type = unsafe gguf_get_arr_type(context, index)
            guard type == GGUF_TYPE_INT32 || type == GGUF_TYPE_UINT32,
                let data = unsafe gguf_get_arr_data(context, index)
            else { return nil }
            let values = unsafe UnsafeBufferPointer(
                start: data.assumingMemoryBound(to: Int32.self),
                count: gguf_get_arr_n(context, index))
            return unsafe values.map { Int($0) }
        default: return nil
        }
    }

    var weightBytes: Int {
        (0..<(unsafe gguf_get_n_tensors(context))).reduce(0) { sum, tensor in
            sum + (unsafe gguf_get_tensor_size(context, tensor))
        }
    }

    deinit { unsafe gguf_free(context) }
}
