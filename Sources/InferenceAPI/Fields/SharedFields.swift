import InferenceTypes

/// Reads shared fields into a request.
struct SharedFields {
    let limits: ChatRequestLimits
    private var minTokensOffset = 0

    init(limits: ChatRequestLimits) {
        self.limits = limits
    }

    mutating func decode(
        _ field: SharedField, _ reader: inout FieldReader, into request: inout ChatRequest
    ) throws(DecodeFailure) {
        switch field {
        case .model:
            request.model = try reader.string(limitBytes: limits.nameBytes)
            if request.model.isEmpty {
                throw reader.refusal(.invalidValue, "Expected the name of a model.")
            }
        case .stream: request.isStreaming = try reader.bool()
        case .n: request.choiceCount = try reader.integer(in: 1...Int64(limits.choices))
        case .seed: request.seed = UInt64(bitPattern: try reader.integer())
        case .stop: request.stopStrings = try stopStrings(&reader)
        case .user: request.user = try reader.string(limitBytes: limits.nameBytes)
        case .safetyIdentifier:
            let identifier = try reader.string(limitBytes: limits.nameBytes)
            request.user = request.user ?? identifier
        case .promptCacheKey:
            request.promptCacheKey = try reader.string(limitBytes: limits.nameBytes)
        case .serviceTier: request.serviceTier = try serviceTier(&reader)
        case .streamOptions: request.includesUsage = try includesUsage(&reader)
        case .temperature, .topP, .topK, .minP, .frequencyPenalty, .presencePenalty,
            .repetitionPenalty, .ignoreEOS, .minTokens, .logitBias:
            try decodeSampling(field, &reader, into: &request.sampling)
        }
    }

    /// Checks that need more than one field, whose order in the body is free. Call when
    /// `maxTokens` is known.
    func settle(_ request: ChatRequest) throws(DecodeFailure) {
        guard let most = request.sampling.maxTokens, request.sampling.minTokens > most else {
            return
        }
        throw DecodeFailure(
            .invalidValue, "Expected at most the maximum number of tokens, \(most).",
            at: minTokensOffset)
    }

    private mutating func decodeSampling(
        _ field: SharedField, _ reader: inout FieldReader, into sampling: inout SamplingParameters
    ) throws(DecodeFailure) {
        switch field {
        case .temperature: sampling.temperature = try reader.float(in: 0...2)
        case .topP:
            // 0 keeps the best token only; the sampler's range excludes 0 itself.
            let value = try reader.float(in: 0...1)
            sampling.topP = max(value, .leastNormalMagnitude)
        case .topK:
            // vLLM and its clients write -1 for "off".
            sampling.topK = max(0, try reader.integer(in: -1...Int64(Int32.max)))
        case .minP: sampling.minP = try reader.float(in: 0...1)
        case .frequencyPenalty: sampling.frequencyPenalty = try reader.float(in: -2...2)
        case .presencePenalty: sampling.presencePenalty = try reader.float(in: -2...2)
        case .repetitionPenalty:
            sampling.repetitionPenalty = try reader.float(in: 0.01...10)
        case .ignoreEOS: sampling.ignoreEndOfSequence = try reader.bool()
        case .minTokens:
            minTokensOffset = reader.valueOffset
            sampling.minTokens = try reader.integer(in: 0...Int64(Int32.max))
        case .logitBias: sampling.logitBias = try logitBias(&reader)
        default: try reader.skip()
        }
    }

    private enum StreamOption: String, CaseIterable {
        case includeUsage = "include_usage"
    }

    private static let streamOptions = JSONKeyTable<StreamOption>()

    private func includesUsage(_ reader: inout FieldReader) throws(DecodeFailure) -> Bool {
        try reader.beginObject()
        var includesUsage = false
        while try reader.nextField(in: Self.streamOptions) != nil {
            includesUsage = try reader.bool()
        }
        return includesUsage
    }

    /// `auto` leaves the tier to the key, as no tier at all does.
    private func serviceTier(_ reader: inout FieldReader) throws(DecodeFailure) -> ServiceTier? {
        let name = try reader.string()
        guard name != "auto" else { return nil }
        guard let tier = ServiceTier(name: name) else {
            throw reader.refusal(
                .invalidValue, "Expected 'auto', 'default', 'priority' or 'batch'.")
        }
        return tier
    }

    /// One string or an array of them.
    func stopStrings(_ reader: inout FieldReader) throws(DecodeFailure) -> [String] {
        guard try reader.kind() == .array else { return [try stopString(&reader)] }
        let start = try reader.beginArray()
        var strings: [String] = []
        while try reader.nextElement() {
            guard strings.count < limits.stopStrings else {
                throw DecodeFailure(
                    .invalidValue, "Expected at most \(limits.stopStrings) stop strings.",
                    at: start)
            }
            strings.append(try stopString(&reader))
        }
        return strings
    }

    private func stopString(_ reader: inout FieldReader) throws(DecodeFailure) -> String {
        let text = try reader.string(limitBytes: limits.stopStringBytes)
        guard !text.isEmpty else {
            throw reader.refusal(.invalidValue, "Expected a stop string that is not empty.")
        }
        return text
    }

    /// OpenAI's form: an object from token ids, as strings, to -100...100.
    private func logitBias(_ reader: inout FieldReader) throws(DecodeFailure) -> [TokenBias] {
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
}
