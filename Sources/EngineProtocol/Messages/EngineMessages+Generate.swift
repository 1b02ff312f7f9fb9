import EngineProto
import GRPC
import InferenceTypes
import NIOCore
import SwiftProtobuf

/// `GenerateRequest`, both ways. Defaults are those of the public servicer of vLLM: proto3 cannot
/// tell 0 from unset, so a `top_p` or `repetition_penalty` of 0 is 1 and an `n` of 0 is 1.
extension EngineMessages {
    /// The message for one streamed choice.
    static func generateRequest(_ request: GenerationRequest) throws(GRPCStatus) -> ByteBuffer {
        var message = Vllm_Grpc_Engine_GenerateRequest()
        message.requestID = request.id
        message.tokenized.inputIds = request.prompt.map { UInt32(bitPattern: $0) }
        message.samplingParams = samplingParams(request.sampling)
        message.stream = true
        return try bytes(message)
    }

    private static func samplingParams(
        _ sampling: SamplingParameters
    ) -> Vllm_Grpc_Engine_SamplingParams {
        var params = Vllm_Grpc_Engine_SamplingParams()
        params.temperature = sampling.temperature
        params.topP = sampling.topP
        params.topK = UInt32(clamping: sampling.topK)
        params.minP = sampling.minP
        params.frequencyPenalty = sampling.frequencyPenalty
        params.presencePenalty = sampling.presencePenalty
        params.repetitionPenalty = sampling.repetitionPenalty
        if let tokens = sampling.maxTokens { params.maxTokens = UInt32(clamping: tokens) }
        params.minTokens = UInt32(clamping: sampling.minTokens)
        params.stopTokenIds = sampling.stopTokens.map { UInt32(bitPattern: $0) }
        params.ignoreEos = sampling.ignoreEndOfSequence
        params.n = 1
        if let top = sampling.topLogprobs { params.logprobs = Int32(clamping: top) }
        params.seed = EngineSeed.fold(sampling.seed)
        for entry in sampling.logitBias { params.logitBias[entry.token] = entry.bias }
        if let grammar = sampling.grammar { params.grammar = grammar }
        return params
    }

    /// - Throws: INVALID_ARGUMENT that begins with the field's name.
    static func generateRequest(
        _ bytes: ByteBuffer, _ metadata: GRPCMetadata, limits: EngineRequestLimits
    ) throws(GRPCStatus) -> EngineGenerateRequest {
        let message = try request(bytes, as: Vllm_Grpc_Engine_GenerateRequest.self)
        try refuseUnsupported(message)
        guard !message.requestID.isEmpty else { throw .invalid("request_id", "is empty") }
        guard message.requestID.utf8.count <= limits.requestIDBytes else {
            throw .invalid("request_id", "longer than \(limits.requestIDBytes) bytes")
        }
        let params = message.samplingParams
        let prompt = try prompt(message, limits: limits)
        var generation = GenerationRequest(
            id: message.requestID, prompt: prompt,
            sampling: try sampling(params, limits: limits))
        let choices = Int(max(1, params.n))
        guard choices <= limits.choices else {
            throw .invalid("sampling_params.n", "more than \(limits.choices)")
        }
        let ours = try EngineMetadata.read(metadata, into: &generation)
        return EngineGenerateRequest(
            generation: generation, choices: choices, streams: message.stream,
            stopStrings: params.stop, metadata: ours)
    }

    /// What this protocol can ask for and our engines cannot do.
    private static func refuseUnsupported(
        _ message: Vllm_Grpc_Engine_GenerateRequest
    ) throws(GRPCStatus) {
        if message.hasMmInputs || !message.extraMmInputs.isEmpty || message.hasMediaRefs {
            throw .invalid("mm_inputs", "the engine is text only")
        }
        if message.hasKvTransferParams || message.hasKvTransferParamsJson {
            throw .invalid("kv_transfer_params", "prefill and decode are not disaggregated here")
        }
        if message.hasDataParallelRank, message.dataParallelRank != 0 {
            throw .invalid("data_parallel_rank", "there is only rank 0")
        }
        if message.samplingParams.hasPromptLogprobs {
            throw .invalid("sampling_params.prompt_logprobs", "not supported")
        }
    }

    private static func prompt(
        _ message: Vllm_Grpc_Engine_GenerateRequest, limits: EngineRequestLimits
    ) throws(GRPCStatus) -> [TokenID] {
        guard case .tokenized(let input) = message.input else {
            throw .invalid("input", "must be tokenized")
        }
        guard !input.inputIds.isEmpty else { throw .invalid("tokenized.input_ids", "is empty") }
        guard input.inputIds.count <= limits.promptTokens else {
            throw .invalid("tokenized.input_ids", "more than \(limits.promptTokens) tokens")
        }
        var ids = input.inputIds[...]
        if message.samplingParams.hasTruncatePromptTokens {
            let keep = message.samplingParams.truncatePromptTokens
            guard keep > 0 else {
                throw .invalid("sampling_params.truncate_prompt_tokens", "must be positive")
            }
            ids = ids.suffix(Int(keep))
        }
        guard let prompt = tokens(ids) else {
            throw .invalid("tokenized.input_ids", "a token over \(Int32.max)")
        }
        return prompt
    }

    /// Nil when an id is not one.
    private static func tokens(_ ids: some Collection<UInt32>) -> [TokenID]? {
        var tokens: [TokenID] = []
        tokens.reserveCapacity(ids.count)
        for id in ids {
            guard let token = TokenID(exactly: id) else { return nil }
            tokens.append(token)
        }
        return tokens
    }

    private static func sampling(
        _ params: Vllm_Grpc_Engine_SamplingParams, limits: EngineRequestLimits
    ) throws(GRPCStatus) -> SamplingParameters {
        var sampling = SamplingParameters()
        sampling.temperature = try value(
            params.hasTemperature ? params.temperature : 1, in: 0...2, "temperature")
        sampling.topP = try value(params.topP == 0 ? 1 : params.topP, in: 0...1, "top_p")
        sampling.topK = Int(params.topK)
        sampling.minP = try value(params.minP, in: 0...1, "min_p")
        sampling.frequencyPenalty = try value(
            params.frequencyPenalty, in: -2...2, "frequency_penalty")
        sampling.presencePenalty = try value(
            params.presencePenalty, in: -2...2, "presence_penalty")
        // A tenfold penalty is beyond any use; the bound keeps the arithmetic finite.
        sampling.repetitionPenalty = try value(
            params.repetitionPenalty == 0 ? 1 : params.repetitionPenalty, in: 0.01...10,
            "repetition_penalty")
        if params.hasMaxTokens {
            guard params.maxTokens > 0 else {
                throw .invalid("sampling_params.max_tokens", "must be at least 1")
            }
            sampling.maxTokens = Int(params.maxTokens)
        }
        sampling.minTokens = Int(params.minTokens)
        guard sampling.minTokens <= sampling.maxTokens ?? .max else {
            throw .invalid("sampling_params.min_tokens", "more than max_tokens")
        }
        guard params.stopTokenIds.count <= limits.stopTokens,
            let stops = tokens(params.stopTokenIds)
        else { throw .invalid("sampling_params.stop_token_ids", "too many, or not tokens") }
        sampling.stopTokens = stops
        sampling.ignoreEndOfSequence = params.ignoreEos
        if params.hasLogprobs {
            guard (0...20).contains(params.logprobs) else {
                throw .invalid("sampling_params.logprobs", "must be 0...20")
            }
            sampling.topLogprobs = Int(params.logprobs)
        }
        // Without a seed each request draws its own, as vLLM does; -1 is vLLM's word for none.
        sampling.seed =
            params.hasSeed && params.seed != -1
            ? UInt64(UInt32(bitPattern: params.seed)) : UInt64.random(in: .min ... .max)
        sampling.logitBias = try logitBias(params.logitBias, limits: limits)
        sampling.grammar = try grammar(params.constraint, limits: limits)
        return sampling
    }

    private static func value(
        _ value: Float, in range: ClosedRange<Float>, _ field: String
    ) throws(GRPCStatus) -> Float {
        // NaN is in no range.
        guard range.contains(value) else {
            throw .invalid(
                "sampling_params.\(field)",
                "\(value) is not in \(range.lowerBound)...\(range.upperBound)")
        }
        return value
    }

    private static func logitBias(
        _ biases: [Int32: Float], limits: EngineRequestLimits
    ) throws(GRPCStatus) -> [TokenBias] {
        guard biases.count <= limits.logitBiases else {
            throw .invalid("sampling_params.logit_bias", "more than \(limits.logitBiases)")
        }
        let sorted = biases.map { TokenBias(token: $0.key, bias: $0.value) }
            .sorted { $0.token < $1.token }
        for entry in sorted {
            guard entry.token >= 0, (-100...100).contains(entry.bias) else {
                throw .invalid(
                    "sampling_params.logit_bias", "token \(entry.token) with \(entry.bias)")
            }
        }
        return sorted
    }

    private static func grammar(
        _ constraint: Vllm_Grpc_Engine_SamplingParams.OneOf_Constraint?,
        limits: EngineRequestLimits
    ) throws(GRPCStatus) -> String? {
        let field: String
        switch constraint {
        case nil, .jsonObject(false):
            return nil
        case .grammar(let grammar):
            guard grammar.utf8.count <= limits.grammarBytes else {
                throw .invalid("sampling_params.grammar", "over \(limits.grammarBytes) bytes")
            }
            return grammar
        case .jsonSchema: field = "json_schema"
        case .regex: field = "regex"
        case .structuralTag: field = "structural_tag"
        case .jsonObject: field = "json_object"
        case .choice: field = "choice"
        }
        throw .invalid("sampling_params.\(field)", "not supported by this engine")
    }
}
