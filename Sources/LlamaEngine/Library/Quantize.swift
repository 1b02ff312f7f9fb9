internal import CLlama
internal import Glibc

/// Weight types that models can be rewritten to.
package enum WeightType: String, CaseIterable, Sendable {
    case q4_0, q4_1, q5_0, q5_1, q8_0, q4_k_m, q5_k_m, q6_k, f16, bf16, f32

    /// Case does not matter.
    package init(name: String) throws(LlamaEngineError) {
        guard let type = WeightType(rawValue: name.lowercased()) else {
            throw .unknownWeightType(name)
        }
        self = type
    }

    package static var allNames: String { allCases.map(\.rawValue).joined(separator: ", ") }

    var libraryType: llama_ftype {
        switch self {
        case .q4_0: LLAMA_FTYPE_MOSTLY_Q4_0
        case .q4_1: LLAMA_FTYPE_MOSTLY_Q4_1
        case .q5_0: LLAMA_FTYPE_MOSTLY_Q5_0
        case .q5_1: LLAMA_FTYPE_MOSTLY_Q5_1
        case .q8_0: LLAMA_FTYPE_MOSTLY_Q8_0
        case .q4_k_m: LLAMA_FTYPE_MOSTLY_Q4_K_M
        case .q5_k_m: LLAMA_FTYPE_MOSTLY_Q5_K_M
        case .q6_k: LLAMA_FTYPE_MOSTLY_Q6_K
        case .f16: LLAMA_FTYPE_MOSTLY_F16
        case .bf16: LLAMA_FTYPE_MOSTLY_BF16
        case .f32: LLAMA_FTYPE_ALL_F32
        }
    }
}

/// Rewrites a GGUF with another weight type. `output` is replaced only when the new file is
/// complete. Already quantized models are requantized.
///
/// - Parameter threads: 0 means one per core.
package func quantizeModel(
    input: String, output: String, type: WeightType, threads: Int = 0
) throws(LlamaEngineError) {
    guard unsafe access(input, R_OK) == 0 else {
        throw .modelUnreadable(path: input, code: errno)
    }
    Library.prepare()
    var parameters = unsafe llama_model_quantize_default_params()
    unsafe parameters.ftype = type.libraryType
    unsafe parameters.allow_requantize = true
    unsafe parameters.nthread = Int32(clamping: threads)
    let partial = output + ".partial"
    let code = unsafe llama_model_quantize(input, partial, &parameters)  // 0, or 1 on any failure
    guard code == 0 else {
        unsafe unlink(partial)
        throw .quantizationFailed(path: input, code: code)
    }
    guard unsafe rename(partial, output) == 0 else {
        let code = errno
        unsafe unlink(partial)
        throw .modelUnreadable(path: output, code: code)
    }
}
