import InferenceTypes
import NIOCore
import XAIProto

/// From a `GetCompletionsRequest` to the internal model; every check that needs neither the
/// vocabulary nor the tenant. Refusals name the field as the message's definition does.
struct XAIRequestReader {
    /// xAI's own bound (`GetCompletionsRequest.top_logprobs`).
    static let topLogprobsLimit = 8
    /// Functions of one request, as in xAI's REST API.
    static let toolsLimit = 128

    let message: XaiApi_GetCompletionsRequest
    let limits: ChatRequestLimits

    init(_ message: XaiApi_GetCompletionsRequest, limits: ChatRequestLimits) {
        self.message = message
        self.limits = limits
    }

    func request() throws(APIError) -> ChatRequest {
        try refuseWhatIsNotServed()
        var request = ChatRequest(
            model: try Self.name(message.model, "model", limits), messages: try messages())
        request.choiceCount = try Self.choices(message.hasN ? message.n : nil, limits)
        request.sampling = try sampling()
        if message.hasSeed { request.seed = UInt64(bitPattern: Int64(message.seed)) }
        request.stopStrings = try Self.stopStrings(message.stop, limits)
        request.tools = try tools()
        request.toolChoice = try toolChoice(among: request.tools)
        if message.hasParallelToolCalls {
            request.allowsParallelToolCalls = message.parallelToolCalls
        }
        request.responseFormat = try responseFormat()
        request.serviceTier = serviceTier
        request.reasoningEffort = reasoningEffort
        request.user = try user()
        request.isStored = message.storeMessages
        if message.hasPreviousResponseID, !message.previousResponseID.isEmpty {
            request.previousResponseID = try Self.bounded(
                message.previousResponseID, "previous_response_id", limits)
        }
        return request
    }

    private func refuseWhatIsNotServed() throws(APIError) {
        if message.hasSearchParameters, message.searchParameters.mode == .onSearchMode {
            throw .field("search_parameters.mode", "This server does not search.", .unsupported)
        }
        if !message.guidelines.isEmpty {
            throw .field("guidelines", "This server enforces no guidelines.", .unsupported)
        }
    }

    // MARK: Sampling

    private func sampling() throws(APIError) -> SamplingParameters {
        var sampling = SamplingParameters()
        if message.hasTemperature {
            sampling.temperature = try Self.float(message.temperature, in: 0...2, "temperature")
        }
        if message.hasTopP { sampling.topP = try Self.topP(message.topP) }
        if message.hasFrequencyPenalty {
            sampling.frequencyPenalty = try Self.float(
                message.frequencyPenalty, in: -2...2, "frequency_penalty")
        }
        if message.hasPresencePenalty {
            sampling.presencePenalty = try Self.float(
                message.presencePenalty, in: -2...2, "presence_penalty")
        }
        if message.hasMaxTokens { sampling.maxTokens = try Self.maxTokens(message.maxTokens) }
        sampling.topLogprobs = try topLogprobs()
        return sampling
    }

    private func topLogprobs() throws(APIError) -> Int? {
        guard message.hasTopLogprobs else { return message.logprobs ? 0 : nil }
        guard message.logprobs else {
            throw .field("top_logprobs", "Only allowed when 'logprobs' is true.")
        }
        let most = min(Self.topLogprobsLimit, limits.topLogprobs)
        guard (0...most).contains(Int(message.topLogprobs)) else {
            throw .field("top_logprobs", "Expected an integer between 0 and \(most).")
        }
        return Int(message.topLogprobs)
    }

    // MARK: Other fields

    /// Unset, and values that a newer definition may have, leave the tier to the key.
    private var serviceTier: ServiceTier? {
        switch message.serviceTier {
        case .default: .standard
        case .priority: .priority
        case .unspecified, .UNRECOGNIZED: nil
        }
    }

    private var reasoningEffort: ReasoningEffort? {
        guard message.hasReasoningEffort else { return nil }
        return switch message.reasoningEffort {
        case .effortNone: ReasoningEffort.none
        case .effortLow: .low
        case .effortMedium: .medium
        case .effortHigh: .high
        case .effortXhigh: .xhigh
        case .invalidEffort, .UNRECOGNIZED: nil
        }
    }

    private func user() throws(APIError) -> String? {
        let user = try Self.bounded(message.user, "user", limits)
        guard user.isEmpty else { return user }
        let identifier = try Self.bounded(
            message.safetyIdentifier, "safety_identifier", limits)
        return identifier.isEmpty ? nil : identifier
    }

    /// What cannot be enforced is refused, never ignored.
    private func responseFormat() throws(APIError) -> ResponseFormat {
        guard message.hasResponseFormat else { return .text }
        let format = message.responseFormat
        switch format.formatType {
        case .text, .invalid: return .text
        case .jsonObject: return .jsonObject
        case .jsonSchema:
            guard format.hasSchema, !format.schema.isEmpty else {
                throw .field(
                    "response_format.schema", "Missing required field.", .missingParameter)
            }
            try requireJSONObject(format.schema, "response_format.schema")
            return .jsonSchema(name: nil, schema: format.schema, isStrict: true)
        case .UNRECOGNIZED:
            throw .field("response_format.format_type", "This format is not known.")
        }
    }

    /// Schemas are JSON text inside of a string; what they may say is decided later.
    func requireJSONObject(_ text: String, _ path: String) throws(APIError) {
        var reader = FieldReader(ByteBuffer(string: text), limits: limits.json)
        do throws(DecodeFailure) {
            guard try reader.kind() == .object else {
                throw DecodeFailure(.invalidType, "Expected a JSON object.", at: 0)
            }
            try reader.skip()
            try reader.finish()
        } catch {
            throw .field(path, "Expected a JSON object as text.")
        }
    }
}

// MARK: - What other requests have too

extension XAIRequestReader {
    static func choices(_ n: Int32?, _ limits: ChatRequestLimits) throws(APIError) -> Int {
        guard let n else { return 1 }
        guard (1...limits.choices).contains(Int(n)) else {
            throw .field("n", "Expected an integer between 1 and \(limits.choices).")
        }
        return Int(n)
    }

    static func maxTokens(_ value: Int32) throws(APIError) -> Int {
        guard value >= 1 else { throw .field("max_tokens", "Expected an integer of at least 1.") }
        return Int(value)
    }

    static func float(
        _ value: Float, in range: ClosedRange<Float>, _ path: String
    ) throws(APIError) -> Float {
        // Not a number is in no range.
        guard range.contains(value) else {
            throw .field(
                path, "Expected a number between \(range.lowerBound) and \(range.upperBound).")
        }
        return value
    }

    /// 0 keeps the best token only; the sampler's range excludes 0 itself.
    static func topP(_ value: Float) throws(APIError) -> Float {
        max(try float(value, in: 0...1, "top_p"), .leastNormalMagnitude)
    }

    static func stopStrings(
        _ strings: [String], _ limits: ChatRequestLimits
    ) throws(APIError) -> [String] {
        guard strings.count <= limits.stopStrings else {
            throw .field("stop", "Expected at most \(limits.stopStrings) stop strings.")
        }
        for (index, string) in strings.enumerated() {
            guard (1...limits.stopStringBytes).contains(string.utf8.count) else {
                throw .field(
                    "stop[\(index)]", "Expected between 1 and \(limits.stopStringBytes) bytes.")
            }
        }
        return strings
    }

    static func bounded(
        _ text: String, _ path: String, _ limits: ChatRequestLimits
    ) throws(APIError) -> String {
        guard text.utf8.count <= limits.nameBytes else {
            throw .field(path, "Expected at most \(limits.nameBytes) bytes.")
        }
        return text
    }

    static func name(
        _ text: String, _ path: String, _ limits: ChatRequestLimits
    ) throws(APIError) -> String {
        guard !text.isEmpty else {
            throw .field(path, "Missing required field.", .missingParameter)
        }
        return try bounded(text, path, limits)
    }
}

extension APIError {
    /// A refusal of one field.
    static func field(
        _ path: String, _ message: String, _ kind: APIErrorKind = .invalidValue
    ) -> APIError {
        APIError(kind, "'\(path)': \(message)", parameter: path)
    }
}
