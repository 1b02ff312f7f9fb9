import InferenceTypes
import NIOCore

/// Reads the body's top level. Messages are in `ChatRequestDecoder+Messages.swift`.
struct ChatRequestDecoder {
    var reader: FieldReader
    let limits: ChatRequestLimits
    private var request = ChatRequest(model: "", messages: [])
    /// `max_completion_tokens` and `max_tokens`; the first wins (trap 18).
    private var maxCompletionTokens: Int?
    private var maxTokens: Int?
    private var reportsLogprobs = false
    /// Value and place of fields that can only be judged with others in sight.
    private var topLogprobs: (count: Int, offset: Int)?
    private var minTokensOffset = 0
    private var deferredOffset = 0

    /// Every field that is looked at. Others are skipped unseen, as clients add extras.
    private enum Field: String, CaseIterable {
        case model, messages, stream, n, temperature, seed, stop, logprobs, tools, functions
        case user, deferred
        case streamOptions = "stream_options"
        case maxCompletionTokens = "max_completion_tokens"
        case maxTokens = "max_tokens"
        case topP = "top_p"
        case topK = "top_k"
        case minP = "min_p"
        case frequencyPenalty = "frequency_penalty"
        case presencePenalty = "presence_penalty"
        case repetitionPenalty = "repetition_penalty"
        case ignoreEOS = "ignore_eos"
        case minTokens = "min_tokens"
        case topLogprobs = "top_logprobs"
        case logitBias = "logit_bias"
        case toolChoice = "tool_choice"
        case functionCall = "function_call"
        case parallelToolCalls = "parallel_tool_calls"
        case responseFormat = "response_format"
        case reasoningEffort = "reasoning_effort"
        case serviceTier = "service_tier"
        case promptCacheKey = "prompt_cache_key"
        case safetyIdentifier = "safety_identifier"
        case metadata, store
        case searchParameters = "search_parameters"
        case webSearchOptions = "web_search_options"
    }

    private static let fields = JSONKeyTable<Field>()

    init(_ body: ByteBuffer, limits: ChatRequestLimits) {
        reader = FieldReader(body, limits: limits.json)
        self.limits = limits
    }

    mutating func decode() throws(DecodeFailure) -> ChatRequest {
        let start = try reader.beginObject()
        var hasMessages = false
        while let field = try reader.nextField(in: Self.fields) {
            switch field {
            case .messages:
                request.messages = try messages()
                hasMessages = true
            case .model, .n, .stream, .streamOptions, .seed, .stop, .user, .safetyIdentifier,
                .deferred, .metadata, .store, .promptCacheKey, .serviceTier, .reasoningEffort:
                try decodeRequest(field)
            case .tools, .functions, .toolChoice, .functionCall, .parallelToolCalls,
                .responseFormat, .searchParameters, .webSearchOptions:
                if limits.isForwarded { try reader.skip() } else { try decodeCapability(field) }
            default:
                try decodeSampling(field)
            }
        }
        try reader.finish()
        guard !request.model.isEmpty else { throw Self.missing("model", at: start) }
        guard hasMessages else { throw Self.missing("messages", at: start) }
        try settle()
        return request
    }

    static func missing(_ field: String, at offset: Int) -> DecodeFailure {
        DecodeFailure(
            .missingParameter, "Missing required parameter.", at: offset, field: field)
    }

    /// Checks that need more than one field, whose order in the body is free.
    private mutating func settle() throws(DecodeFailure) {
        request.sampling.maxTokens = maxCompletionTokens ?? maxTokens
        if let topLogprobs, !reportsLogprobs {
            throw DecodeFailure(
                .invalidValue, "Only allowed when 'logprobs' is true.", at: topLogprobs.offset)
        }
        request.sampling.topLogprobs = reportsLogprobs ? topLogprobs?.count ?? 0 : nil
        if let most = request.sampling.maxTokens, request.sampling.minTokens > most {
            throw DecodeFailure(
                .invalidValue, "Expected at most the maximum number of tokens, \(most).",
                at: minTokensOffset)
        }
        guard request.isDeferred else { return }
        if !limits.allowsDeferred {
            throw DecodeFailure(
                .unsupported, "Deferred completions are not available here.", at: deferredOffset)
        }
        if request.isStreaming || request.choiceCount > 1 {
            throw DecodeFailure(
                .invalidValue, "Not allowed with 'stream' or with 'n' above 1.",
                at: deferredOffset)
        }
    }

    // MARK: The request

    private mutating func decodeRequest(_ field: Field) throws(DecodeFailure) {
        switch field {
        case .model:
            request.model = try reader.string(limitBytes: limits.nameBytes)
            if request.model.isEmpty {
                throw reader.refusal(.invalidValue, "Expected the name of a model.")
            }
        case .n: request.choiceCount = try reader.integer(in: 1...Int64(limits.choices))
        case .stream: request.isStreaming = try reader.bool()
        case .streamOptions: try decodeStreamOptions()
        case .seed: request.seed = UInt64(bitPattern: try reader.integer())
        case .stop: request.stopStrings = try stopStrings()
        case .user: request.user = try reader.string(limitBytes: limits.nameBytes)
        case .safetyIdentifier:
            let identifier = try reader.string(limitBytes: limits.nameBytes)
            request.user = request.user ?? identifier
        case .deferred:
            deferredOffset = reader.valueOffset
            request.isDeferred = try reader.bool()
        case .promptCacheKey:
            request.promptCacheKey = try reader.string(limitBytes: limits.nameBytes)
        case .serviceTier: try decodeServiceTier()
        case .reasoningEffort:
            guard let effort = ReasoningEffort(rawValue: try reader.string()) else {
                throw reader.refusal(
                    .invalidValue,
                    "Expected 'none', 'minimal', 'low', 'medium', 'high' or 'xhigh'.")
            }
            request.reasoningEffort = effort
        default: try reader.skip()
        }
    }

    private enum StreamOption: String, CaseIterable {
        case includeUsage = "include_usage"
    }

    private static let streamOptions = JSONKeyTable<StreamOption>()

    private mutating func decodeStreamOptions() throws(DecodeFailure) {
        try reader.beginObject()
        request.includesUsage = false
        while try reader.nextField(in: Self.streamOptions) != nil {
            request.includesUsage = try reader.bool()
        }
    }

    /// `auto` leaves the tier to the key, as no tier at all does.
    private mutating func decodeServiceTier() throws(DecodeFailure) {
        let name = try reader.string()
        request.serviceTier = name == "auto" ? nil : ServiceTier(name: name)
        if request.serviceTier == nil, name != "auto" {
            throw reader.refusal(
                .invalidValue, "Expected 'auto', 'default', 'priority' or 'batch'.")
        }
    }

    private mutating func stopStrings() throws(DecodeFailure) -> [String] {
        guard try reader.kind() == .array else { return [try stopString()] }
        let start = try reader.beginArray()
        var strings: [String] = []
        while try reader.nextElement() {
            guard strings.count < limits.stopStrings else {
                throw DecodeFailure(
                    .invalidValue, "Expected at most \(limits.stopStrings) stop strings.",
                    at: start)
            }
            strings.append(try stopString())
        }
        return strings
    }

    private mutating func stopString() throws(DecodeFailure) -> String {
        let text = try reader.string(limitBytes: limits.stopStringBytes)
        guard !text.isEmpty else {
            throw reader.refusal(.invalidValue, "Expected a stop string that is not empty.")
        }
        return text
    }

    // MARK: Sampling

    private mutating func decodeSampling(_ field: Field) throws(DecodeFailure) {
        switch field {
        case .temperature: request.sampling.temperature = try reader.float(in: 0...2)
        case .topP:
            // 0 keeps the best token only; the sampler's range excludes 0 itself.
            let value = try reader.float(in: 0...1)
            request.sampling.topP = max(value, .leastNormalMagnitude)
        case .topK:
            // vLLM and its clients write -1 for "off".
            request.sampling.topK = max(0, try reader.integer(in: -1...Int64(Int32.max)))
        case .minP: request.sampling.minP = try reader.float(in: 0...1)
        case .frequencyPenalty:
            request.sampling.frequencyPenalty = try reader.float(in: -2...2)
        case .presencePenalty:
            request.sampling.presencePenalty = try reader.float(in: -2...2)
        case .repetitionPenalty:
            request.sampling.repetitionPenalty = try reader.float(in: 0.01...10)
        case .ignoreEOS: request.sampling.ignoreEndOfSequence = try reader.bool()
        case .minTokens:
            minTokensOffset = reader.valueOffset
            request.sampling.minTokens = try reader.integer(in: 0...Int64(Int32.max))
        case .maxCompletionTokens:
            maxCompletionTokens = try reader.integer(in: 1...Int64(Int32.max))
        case .maxTokens: maxTokens = try reader.integer(in: 1...Int64(Int32.max))
        case .logprobs: reportsLogprobs = try reader.bool()
        case .topLogprobs:
            let offset = reader.valueOffset
            topLogprobs = (try reader.integer(in: 0...Int64(limits.topLogprobs)), offset)
        case .logitBias: request.sampling.logitBias = try logitBias()
        default: try reader.skip()
        }
    }

    /// OpenAI's form: an object from token ids, as strings, to -100...100.
    private mutating func logitBias() throws(DecodeFailure) -> [TokenBias] {
        let start = try reader.beginObject()
        var biases: [TokenBias] = []
        while let key = try reader.nextKey() {
            guard biases.count < limits.logitBiases else {
                throw DecodeFailure(
                    .invalidValue, "Expected at most \(limits.logitBiases) tokens.", at: start)
            }
            let bias = try reader.float(in: -100...100)
            guard let token = TokenID(key), token >= 0, String(token) == key else {
                throw reader.refusal(.invalidValue, "Expected token ids as keys.")
            }
            biases.append(TokenBias(token: token, bias: bias))
        }
        return Self.sortedUnique(biases)
    }

    /// By token; of equal tokens the last one stays, as for any duplicate key.
    private static func sortedUnique(_ biases: [TokenBias]) -> [TokenBias] {
        var result: [TokenBias] = []
        // The standard sort is stable, so "last" is still the document's order.
        for bias in biases.sorted(by: { $0.token < $1.token }) {
            if result.last?.token == bias.token { result.removeLast() }
            result.append(bias)
        }
        return result
    }

    // MARK: What is not served yet, or never

    private mutating func decodeCapability(_ field: Field) throws(DecodeFailure) {
        switch field {
        case .tools, .functions: try refuseElements("Tools are not supported yet.")
        case .toolChoice, .functionCall:
            guard try reader.kind() == .string else {
                let isObject = try reader.kind() == .object
                throw isObject
                    ? reader.unsupported("Tools are not supported yet.")
                    : reader.refusal(.invalidType, "Expected a string or an object.")
            }
            switch try reader.string() {
            case "none", "auto": break
            case "required": throw reader.unsupported("Tools are not supported yet.")
            default: throw reader.refusal(.invalidValue, "Expected 'none' or 'auto'.")
            }
        case .parallelToolCalls: _ = try reader.bool()
        case .responseFormat: try decodeResponseFormat()
        case .searchParameters: try decodeSearchParameters()
        case .webSearchOptions:
            _ = try reader.kind()
            throw reader.unsupported("This server does not search.")
        default: try reader.skip()
        }
    }

    /// An empty array says nothing, and clients send it.
    private mutating func refuseElements(_ message: String) throws(DecodeFailure) {
        let start = try reader.beginArray()
        guard try reader.nextElement() else { return }
        throw DecodeFailure(.unsupported, message, at: start)
    }

    private enum FormatField: String, CaseIterable {
        case type
        case grammar
    }

    private static let formatFields = JSONKeyTable<FormatField>()

    /// Trap 19: what cannot be enforced is refused, never ignored. `grammar` is Fireworks' form.
    private mutating func decodeResponseFormat() throws(DecodeFailure) {
        let start = try reader.beginObject()
        var type: String?
        var grammar: String?
        while let field = try reader.nextField(in: Self.formatFields) {
            switch field {
            case .grammar: grammar = try reader.string(limitBytes: limits.grammarBytes)
            case .type:
                type = try reader.string()
                switch type {
                case "text", "json_object", "grammar": break
                case "json_schema":
                    throw reader.unsupported("JSON schemas are not supported yet.")
                default:
                    throw reader.refusal(
                        .invalidValue, "Expected 'text', 'json_object' or 'grammar'.")
                }
            }
        }
        switch type {
        case nil: throw Self.missing("type", at: start)
        case "json_object": request.responseFormat = .jsonObject
        case "grammar":
            guard let grammar, !grammar.isEmpty else { throw Self.missing("grammar", at: start) }
            request.responseFormat = .grammar(grammar)
        default: break
        }
    }

    private enum SearchField: String, CaseIterable {
        case mode
    }

    private static let searchFields = JSONKeyTable<SearchField>()

    /// Live search: `off` is what we do anyway, and `auto` leaves it to us.
    private mutating func decodeSearchParameters() throws(DecodeFailure) {
        try reader.beginObject()
        while try reader.nextField(in: Self.searchFields) != nil {
            switch try reader.string() {
            case "off", "auto": break
            case "on": throw reader.unsupported("This server does not search.")
            default: throw reader.refusal(.invalidValue, "Expected 'off', 'auto' or 'on'.")
            }
        }
    }
}
