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
    /// No context of the configured size could be made, mostly for lack of memory.
    case contextRejected(cells: Int, sequences: Int)
    /// The model was loaded but a first step failed; `code` is `llama_decode`'s.
    case warmUpFailed(code: Int32)
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
        case .contextRejected(let cells, let sequences):
            "cannot make a context of \(cells) cells and \(sequences) sequences; is there memory?"
        case .warmUpFailed(let code):
            "the model's first step failed with code \(code)"
        case .unknownWeightType(let name):
            "\(name) is not a weight type; known: \(WeightType.allNames)"
        case .quantizationFailed(let path, let code):
            "cannot quantize \(path) (code \(code))"
        }
    }
}
