import InferenceTypes
import NIOCore

/// Reads the body's top level. Messages are in `MessagesRequestDecoder+Messages.swift`, tools in
/// `+Tools.swift`.
struct MessagesRequestDecoder {
    var reader: FieldReader
    let limits: ChatRequestLimits
    var request = ChatRequest(model: "", messages: [])
    private var shared: SharedFields
    private var system: String?
    /// Where `tool_choice` stands; it can only be judged with `tools` in sight.
    var toolChoiceOffset = 0

    /// Every field that is looked at, besides the shared ones.
    enum Field: String, CaseIterable {
        case messages, system, tools, metadata, thinking, n, stop, user
        case maxTokens = "max_tokens"
        case stopSequences = "stop_sequences"
        case toolChoice = "tool_choice"
        case serviceTier = "service_tier"
        case streamOptions = "stream_options"
        case outputConfig = "output_config"
        case outputFormat = "output_format"
        case servers = "mcp_servers"
    }

    private static let fields = JSONKeyTable<FaceField<Field>>()

    init(_ body: ByteBuffer, limits: ChatRequestLimits) {
        reader = FieldReader(body, limits: limits.json)
        self.limits = limits
        shared = SharedFields(limits: limits)
    }

    mutating func decode(isCounting: Bool) throws(DecodeFailure) {
        let start = try reader.beginObject()
        var hasMessages = false
        while let field = try reader.nextField(in: Self.fields) {
            switch field {
            case .shared(let field): try shared.decode(field, &reader, into: &request)
            case .own(.messages):
                request.messages = try messages()
                hasMessages = true
            case .own(let field): try decode(field)
            }
        }
        try reader.finish()
        guard !request.model.isEmpty else { throw DecodeFailure.missing("model", at: start) }
        guard hasMessages else { throw DecodeFailure.missing("messages", at: start) }
        guard isCounting || request.sampling.maxTokens != nil else {
            throw DecodeFailure.missing("max_tokens", at: start)
        }
        if let system, !system.isEmpty {
            request.messages.insert(ChatMessage(role: .system, content: system), at: 0)
        }
        try settleTools()
        try shared.settle(request)
    }

    private mutating func decode(_ field: Field) throws(DecodeFailure) {
        switch field {
        case .maxTokens:
            request.sampling.maxTokens = try reader.integer(in: 1...Int64(Int32.max))
        case .system: system = try reader.text(Self.textBlocks, limits: limits)
        case .stopSequences:
            guard try reader.kind() == .array else {
                throw reader.refusal(.invalidType, "Expected an array of strings.")
            }
            request.stopStrings = try shared.stopStrings(&reader)
        case .tools: try decodeTools()
        case .toolChoice: try decodeToolChoice()
        case .serviceTier: try decodeServiceTier()
        case .metadata: try decodeMetadata()
        case .thinking: try decodeThinking()
        case .outputConfig: try decodeOutputConfig()
        case .outputFormat: try decodeOutputFormat()
        case .servers:
            let start = try reader.beginArray()
            guard try reader.nextElement() else { return }
            throw DecodeFailure(.unsupported, "This server calls no tools itself.", at: start)
        // Fields of other faces, which clients of this one do not mean.
        case .n, .stop, .user, .streamOptions, .messages: try reader.skip()
        }
    }

    /// The `priority` tier is for keys that have it; here nobody pays for one.
    private mutating func decodeServiceTier() throws(DecodeFailure) {
        switch try reader.string() {
        case "auto": request.serviceTier = nil
        case "standard_only": request.serviceTier = .standard
        default: throw reader.refusal(.invalidValue, "Expected 'auto' or 'standard_only'.")
        }
    }

    private enum MetadataField: String, CaseIterable {
        case userID = "user_id"
    }

    private enum ThinkingField: String, CaseIterable {
        case type
    }

    private enum OutputField: String, CaseIterable {
        case effort, format
    }

    private enum FormatField: String, CaseIterable {
        case type, schema
    }

    private static let metadataFields = JSONKeyTable<MetadataField>()
    private static let thinkingFields = JSONKeyTable<ThinkingField>()
    private static let outputFields = JSONKeyTable<OutputField>()
    private static let formatFields = JSONKeyTable<FormatField>()

    private mutating func decodeMetadata() throws(DecodeFailure) {
        try reader.beginObject()
        while try reader.nextField(in: Self.metadataFields) != nil {
            request.user = try reader.string(limitBytes: limits.nameBytes)
        }
    }

    /// A budget is not kept: `max_tokens` bounds thinking and answer together.
    private mutating func decodeThinking() throws(DecodeFailure) {
        try reader.beginObject()
        while try reader.nextField(in: Self.thinkingFields) != nil {
            switch try reader.string() {
            case "enabled", "adaptive": break
            case "disabled": request.reasoningEffort = ReasoningEffort.none
            default:
                throw reader.refusal(
                    .invalidValue, "Expected 'enabled', 'adaptive' or 'disabled'.")
            }
        }
    }

    private mutating func decodeOutputConfig() throws(DecodeFailure) {
        try reader.beginObject()
        while let field = try reader.nextField(in: Self.outputFields) {
            switch field {
            case .format: try decodeOutputFormat()
            case .effort:
                let effort = try reader.string()
                switch effort {
                case "max": request.reasoningEffort = .xhigh
                case "low", "medium", "high", "xhigh":
                    request.reasoningEffort = ReasoningEffort(rawValue: effort)
                default:
                    throw reader.refusal(
                        .invalidValue, "Expected 'low', 'medium', 'high', 'xhigh' or 'max'.")
                }
            }
        }
    }

    private mutating func decodeOutputFormat() throws(DecodeFailure) {
        let start = try reader.beginObject()
        var schema: String?
        while let field = try reader.nextField(in: Self.formatFields) {
            switch field {
            case .type:
                guard try reader.string() == "json_schema" else {
                    throw reader.refusal(.invalidValue, "Expected 'json_schema'.")
                }
            case .schema: schema = try reader.rawObject()
            }
        }
        guard let schema else { throw DecodeFailure.missing("schema", at: start) }
        request.responseFormat = .jsonSchema(name: nil, schema: schema, isStrict: true)
    }
}
