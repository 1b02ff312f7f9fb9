import CLlama
import Glibc
import InferenceTypes

/// llama.cpp used the plain way: one sequence, its own greedy sampler.
enum ReferenceLoop {
    struct Failure: Error {}

    static func greedy(_ prompt: [TokenID], tokens: Int) throws -> [TokenID] {
        let model = llama_model_load_from_file(TestModel.path!, llama_model_default_params())
        defer { llama_model_free(model) }
        var parameters = llama_context_default_params()
        parameters.n_ctx = 512
        parameters.n_threads = 1
        parameters.n_threads_batch = 1
        guard let context = llama_init_from_model(model, parameters) else { throw Failure() }
        defer { llama_free(context) }
        let sampler = llama_sampler_init_greedy()
        defer { llama_sampler_free(sampler) }
        var pending = prompt
        var output: [TokenID] = []
        while output.count < tokens {
            let count = Int32(pending.count)
            let code = pending.withUnsafeMutableBufferPointer {
                llama_decode(context, llama_batch_get_one($0.baseAddress, count))
            }
            guard code == 0 else { throw Failure() }
            output.append(llama_sampler_sample(sampler, context, -1))
            pending = [output.last!]
        }
        return output
    }

    static func text(_ tokens: [TokenID]) throws -> String {
        var parameters = llama_model_default_params()
        parameters.vocab_only = true
        let model = llama_model_load_from_file(TestModel.path!, parameters)
        defer { llama_model_free(model) }
        let vocabulary = llama_model_get_vocab(model)
        var bytes: [UInt8] = []
        var buffer = [CChar](repeating: 0, count: 256)
        for token in tokens {
            let length = llama_token_to_piece(vocabulary, token, &buffer, 256, 0, true)
            guard length >= 0 else { throw Failure() }
            bytes += buffer[..<Int(length)].map { UInt8(bitPattern: $0) }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

func exponential(_ x: Double) -> Double { exp(x) }
