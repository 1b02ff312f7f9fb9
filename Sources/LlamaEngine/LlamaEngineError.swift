/// Why a model could not be loaded or rewritten. What happens during steps is `EngineError`.
package enum LlamaEngineError: Error, Hashable, Sendable {
    /// A setting that cannot work, with the value seen and the values allowed.
    case invalidSetting(name: String, value: String, allowed: String)
    /// The file does not exist or may not be read; `code` is errno.
    case modelUnreadable(path: String, code: Int32)
    /// The library refused the file: no GGUF, damaged, or of unknown architecture. See the log.
    case modelRejected(path: String)
    /// The model does not generate text token by token (an encoder, a diffusion model).
    case modelUnsupported(path: String, description: String)
    /// The header says that the model is for something else.
    case modelUnsuitable(path: String, reason: String)
    /// No device of that name that models can run on.
    case deviceUnknown(name: String, known: [String])
    /// Weights, cache and margin are more than the device has free.
    case memoryShort(device: String, requirement: MemoryRequirement, freeBytes: Int)
    /// A slot would have more context than the model was trained with.
    case contextTooLong(tokens: Int, slots: Int, perSlot: Int, trained: Int)
    /// No context of the configured size could be made, mostly for lack of memory.
    case contextRejected(cells: Int, sequences: Int)
    /// The model was loaded but a first step failed; `code` is `llama_decode`'s.
    case warmUpFailed(code: Int32)
    /// `code` is `llama_decode`'s.
    case embeddingFailed(code: Int32)
    /// Not a weight type that models can be quantized to.
    case unknownWeightType(String)
    /// `llama_model_quantize` failed; the log has more.
    case quantizationFailed(path: String, code: UInt32)
}

extension LlamaEngineError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .invalidSetting(let name, let value, let allowed):
            "\(name) is \(value); allowed: \(allowed)"
        case .modelUnreadable(let path, let code):
            "cannot read the model \(path) (errno \(code))"
        case .modelRejected(let path):
            "llama.cpp cannot load the model \(path)"
        case .modelUnsupported(let path, let description):
            "the model \(path) (\(description)) does not generate text"
        case .modelUnsuitable(let path, let reason):
            "the model \(path) cannot serve: \(reason)"
        case .deviceUnknown(let name, let known):
            "there is no device \(name) to run a model on; there is: "
                + known.joined(separator: ", ")
        case .memoryShort(let device, let requirement, let free):
            """
            \(device) has \(Self.mebibytes(free)) free, but weights \
            (\(Self.mebibytes(requirement.weightBytes))), KV cache \
            (\(Self.mebibytes(requirement.cacheBytes))) and margin \
            (\(Self.mebibytes(requirement.marginBytes))) take about \
            \(Self.mebibytes(requirement.totalBytes)): choose fewer slots, less context, a smaller \
            model or another device
            """
        case .contextTooLong(let tokens, let slots, let perSlot, let trained):
            """
            a context of \(tokens) tokens for \(slots) slots is \(perSlot) for each, but the model \
            was trained with \(trained)
            """
        case .contextRejected(let cells, let sequences):
            "cannot make a context of \(cells) cells and \(sequences) sequences; is there memory?"
        case .warmUpFailed(let code):
            "the model's first step failed with code \(code)"
        case .embeddingFailed(let code):
            "llama.cpp cannot compute an embedding (code \(code))"
        case .unknownWeightType(let name):
            "\(name) is not a weight type; known: \(WeightType.allNames)"
        case .quantizationFailed(let path, let code):
            "cannot quantize \(path) (code \(code))"
        }
    }

    private static func mebibytes(_ bytes: Int) -> String { "\(bytes >> 20) MiB" }
}
