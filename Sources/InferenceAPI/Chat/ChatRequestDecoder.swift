import InferenceTypes
import NIOCore

/// Reads the body's top level. Messages are in `ChatRequestDecoder+Messages.swift`.
struct ChatRequestDecoder {
    var reader: FieldReader
    let limits: ChatRequestLimits
    var request = ChatRequest(model: "", messages: [])
    private var shared: SharedFields
    /// `max_completion_tokens` and `max_tokens`; the first wins (trap 18).
    private var maxCompletionTokens: Int?
    private var maxTokens: Int?
    private var reportsLogprobs = false
    /// Value and place of fields that can only be judged with others in sight.
    private var topLogprobs: (count: Int, offset: Int)?
    private var deferredOffset = 0
    /// `tool_choice` was there; `function_call` then says nothing.
    var hasToolChoice = false

    /// Every field that is looked at. Others are skipped unseen, as clients add extras.
    enum Field: String, CaseIterable {
        case messages, logprobs, tools, functions, deferred
        case maxCompletionTokens = "max_completion_tokens"
        case maxTokens = "max_tokens"
        case topLogprobs = "top_logprobs"
        case toolChoice = "tool_choice"
        case functionCall = "function_call"
        case parallelToolCalls = "parallel_tool_calls"
        case responseFormat = "response_format"
        case reasoningEffort = "reasoning_effort"
        case metadata, store
        case searchParameters = "search_parameters"
        case webSearchOptions = "web_search_options"
    }

    private static let fields = JSONKeyTable<FaceField<Field>>()

    init(_ body: ByteBuffer, limits: ChatRequestLimits) {
        reader = FieldReader(body, limits: limits.json)
        self.limits = limits
        shared = SharedFields(limits: limits)
    }

    mutating func decode() throws(DecodeFailure) -> ChatRequest {
        let start = try reader.beginObject()
        var hasMessages = false
        while let field = try reader.nextField(in: Self.fields) {
            switch field {
            case .shared(let field): try shared.decode(field, &reader, into: &request)
            case .own(.messages):
                request.messages = try messages()
                hasMessages = true
            case .own(let field):
                try decode(field)
            }
        }
        try reader.finish()
        guard !request.model.isEmpty else { throw DecodeFailure.missing("model", at: start) }
        guard hasMessages else { throw DecodeFailure.missing("messages", at: start) }
        try settle()
        return request
    }

    /// Checks that need more than one field, whose order in the body is free.
    private mutating func settle() throws(DecodeFailure) {
        request.sampling.maxTokens = maxCompletionTokens ?? maxTokens
        if let topLogprobs, !reportsLogprobs {
            throw DecodeFailure(
                .invalidValue, "Only allowed when 'logprobs' is true.", at: topLogprobs.offset)
        }
        request.sampling.topLogprobs = reportsLogprobs ? topLogprobs?.count ?? 0 : nil
        try shared.settle(request)
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

    private mutating func decode(_ field: Field) throws(DecodeFailure) {
        switch field {
        case .deferred:
            deferredOffset = reader.valueOffset
            request.isDeferred = try reader.bool()
        case .reasoningEffort:
            request.reasoningEffort = try reader.reasoningEffort()
        case .maxCompletionTokens:
            maxCompletionTokens = try reader.integer(in: 1...Int64(Int32.max))
        case .maxTokens: maxTokens = try reader.integer(in: 1...Int64(Int32.max))
        case .logprobs: reportsLogprobs = try reader.bool()
        case .topLogprobs:
            let offset = reader.valueOffset
            topLogprobs = (try reader.integer(in: 0...Int64(limits.topLogprobs)), offset)
        case .tools, .functions, .toolChoice, .functionCall, .parallelToolCalls,
            .responseFormat, .searchParameters, .webSearchOptions:
            if limits.isForwarded { try reader.skip() } else { try decodeCapability(field) }
        case .messages, .metadata, .store: try reader.skip()
        }
    }

    // MARK: What the model may do besides talking

    private mutating func decodeCapability(_ field: Field) throws(DecodeFailure) {
        switch field {
        case .tools: try decodeTools()
        case .functions: try decodeFunctions()
        case .toolChoice: try decodeToolChoice()
        case .functionCall: try decodeFunctionCall()
        case .parallelToolCalls: request.allowsParallelToolCalls = try reader.bool()
        case .responseFormat: try decodeResponseFormat()
        case .searchParameters: try reader.skipSearchParameters()
        case .webSearchOptions:
            _ = try reader.kind()
            throw reader.unsupported("This server does not search.")
        default: try reader.skip()
        }
    }
}
