import InferenceTypes
import NIOCore

/// Reads the body's top level. Input items are in `ResponsesRequestDecoder+Input.swift`, tools in
/// `+Tools.swift`.
struct ResponsesRequestDecoder {
    var reader: FieldReader
    let limits: ChatRequestLimits
    var request = ChatRequest(model: "", messages: [])
    var format = ResponsesFormat()
    private var shared: SharedFields
    private var wantsLogprobs = false
    private var backgroundOffset = 0
    /// Where `tool_choice` stands; it can only be judged with `tools` in sight.
    var toolChoiceOffset = 0
    /// The functions that may be called, of those that are defined; nil for all.
    var allowedTools: [String]?

    /// Every field that is looked at, besides the shared ones.
    enum Field: String, CaseIterable {
        case input, instructions, store, background, tools, text, reasoning, include, metadata
        case conversation, prompt, n
        case streamOptions = "stream_options"
        case maxOutputTokens = "max_output_tokens"
        case maxToolCalls = "max_tool_calls"
        case previousResponseID = "previous_response_id"
        case toolChoice = "tool_choice"
        case parallelToolCalls = "parallel_tool_calls"
        case topLogprobs = "top_logprobs"
        case searchParameters = "search_parameters"
    }

    private static let fields = JSONKeyTable<FaceField<Field>>()

    init(_ body: ByteBuffer, limits: ChatRequestLimits) {
        reader = FieldReader(body, limits: limits.json)
        self.limits = limits
        shared = SharedFields(limits: limits)
    }

    mutating func decode() throws(DecodeFailure) {
        let start = try reader.beginObject()
        request.isStored = true
        var hasInput = false
        while let field = try reader.nextField(in: Self.fields) {
            switch field {
            case .shared(.safetyIdentifier):
                let identifier = try reader.string(limitBytes: limits.nameBytes)
                format.safetyIdentifier = identifier
            case .shared(let field): try shared.decode(field, &reader, into: &request)
            case .own(.input):
                request.messages = try input()
                hasInput = true
            case .own(.tools), .own(.toolChoice), .own(.parallelToolCalls), .own(.maxToolCalls),
                .own(.text):
                try decodeShape(field)
            case .own(let field): try decode(field)
            }
        }
        try reader.finish()
        guard !request.model.isEmpty else { throw DecodeFailure.missing("model", at: start) }
        guard hasInput else { throw DecodeFailure.missing("input", at: start) }
        try settle()
    }

    private mutating func decode(_ field: Field) throws(DecodeFailure) {
        switch field {
        case .instructions: format.instructions = try reader.string()
        case .store: request.isStored = try reader.bool()
        case .background:
            backgroundOffset = reader.valueOffset
            request.isBackground = try reader.bool()
        case .maxOutputTokens:
            request.sampling.maxTokens = try reader.integer(in: 1...Int64(Int32.max))
        case .previousResponseID:
            request.previousResponseID = try reader.string(limitBytes: limits.nameBytes)
        case .reasoning: try decodeReasoning()
        case .topLogprobs:
            format.topLogprobs = try reader.integer(in: 0...Int64(limits.topLogprobs))
        case .include: try decodeInclude()
        case .metadata:
            format.metadata = try reader.rawObject()
        case .conversation:
            throw try refusal("Conversations are not kept here; use 'previous_response_id'.")
        case .prompt: throw try refusal("Prompt templates are not kept here.")
        case .searchParameters: try reader.skipSearchParameters()
        default: try reader.skip()
        }
    }

    private mutating func refusal(_ message: String) throws(DecodeFailure) -> DecodeFailure {
        _ = try reader.kind()
        return reader.unsupported(message)
    }

    private mutating func decodeShape(_ field: FaceField<Field>) throws(DecodeFailure) {
        switch field {
        case .own(.tools): try decodeTools()
        case .own(.toolChoice): try decodeToolChoice()
        case .own(.parallelToolCalls): request.allowsParallelToolCalls = try reader.bool()
        case .own(.maxToolCalls):
            // Counts calls of built-in tools, of which there are none.
            format.maxToolCalls = try reader.integer(in: 1...Int64(Int32.max))
        default: try decodeText()
        }
    }

    /// Checks that need more than one field, whose order in the body is free.
    private mutating func settle() throws(DecodeFailure) {
        if let instructions = format.instructions {
            request.messages.insert(ChatMessage(role: .system, content: instructions), at: 0)
        }
        try settleTools()
        if request.isBackground, !request.isStreaming, !limits.allowsBackground {
            throw DecodeFailure(
                .unsupported, "Only available with 'stream' here.", at: backgroundOffset)
        }
        if wantsLogprobs || format.topLogprobs > 0 {
            request.sampling.topLogprobs = format.topLogprobs
        }
        try shared.settle(request)
        format.user = request.user
        request.user = request.user ?? format.safetyIdentifier
        format.isStored = request.isStored
        format.isBackground = request.isBackground
        format.previousResponseID = request.previousResponseID
        format.allowsParallelToolCalls = request.allowsParallelToolCalls
        format.temperature = request.sampling.temperature
        let topP = request.sampling.topP
        format.topP = topP == .leastNormalMagnitude ? 0 : topP
        format.maxOutputTokens = request.sampling.maxTokens
        format.promptCacheKey = request.promptCacheKey
        format.reasoningEffort = request.reasoningEffort
    }

    private enum ReasoningField: String, CaseIterable {
        case effort, summary
    }

    private static let reasoningFields = JSONKeyTable<ReasoningField>()

    private mutating func decodeReasoning() throws(DecodeFailure) {
        try reader.beginObject()
        while let field = try reader.nextField(in: Self.reasoningFields) {
            switch field {
            case .effort: request.reasoningEffort = try reader.reasoningEffort()
            case .summary:
                let summary = try reader.string()
                guard ["auto", "concise", "detailed"].contains(summary) else {
                    throw reader.refusal(
                        .invalidValue, "Expected 'auto', 'concise' or 'detailed'.")
                }
                format.reasoningSummary = summary
            }
        }
    }

    /// Extra output: only log probabilities; the rest is about what is not here.
    private mutating func decodeInclude() throws(DecodeFailure) {
        try reader.beginArray()
        while try reader.nextElement() {
            if try reader.string() == "message.output_text.logprobs" { wantsLogprobs = true }
        }
    }
}
