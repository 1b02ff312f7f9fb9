import InferenceTypes
package import NIOCore

/// `POST /v1/complete` (Anthropic, "Text completions", legacy): text that goes on from a prompt.
package struct LegacyCompleteFace: AnthropicFace {
    package var name: String { "complete" }

    package init() {}

    package func decode(
        _ body: ByteBuffer, limits: ChatRequestLimits
    ) throws(APIError) -> FaceRequest {
        var decoder = LegacyCompleteDecoder(body, limits: limits)
        do {
            try decoder.decode()
        } catch {
            throw error.apiError(in: body, limits: limits.json)
        }
        return FaceRequest(chat: decoder.request, format: LegacyCompleteFormat())
    }
}

/// Reads the body of `/v1/complete`.
struct LegacyCompleteDecoder {
    private var reader: FieldReader
    private let limits: ChatRequestLimits
    private(set) var request = ChatRequest(model: "", messages: [])
    private var shared: SharedFields

    enum Field: String, CaseIterable {
        case prompt, metadata, n, stop, user
        case maxTokens = "max_tokens_to_sample"
        case stopSequences = "stop_sequences"
        case streamOptions = "stream_options"
        case serviceTier = "service_tier"
    }

    private enum MetadataField: String, CaseIterable {
        case userID = "user_id"
    }

    private static let fields = JSONKeyTable<FaceField<Field>>()
    private static let metadataFields = JSONKeyTable<MetadataField>()

    init(_ body: ByteBuffer, limits: ChatRequestLimits) {
        reader = FieldReader(body, limits: limits.json)
        self.limits = limits
        shared = SharedFields(limits: limits)
    }

    mutating func decode() throws(DecodeFailure) {
        let start = try reader.beginObject()
        while let field = try reader.nextField(in: Self.fields) {
            switch field {
            case .shared(let field): try shared.decode(field, &reader, into: &request)
            case .own(let field): try decode(field)
            }
        }
        try reader.finish()
        if request.model.isEmpty { throw DecodeFailure.missing("model", at: start) }
        if request.rawPrompts.isEmpty { throw DecodeFailure.missing("prompt", at: start) }
        if request.sampling.maxTokens == nil {
            throw DecodeFailure.missing("max_tokens_to_sample", at: start)
        }
        // Always there, besides those that are asked for.
        if !request.stopStrings.contains("\n\nHuman:"),
            request.stopStrings.count < limits.stopStrings
        {
            request.stopStrings.append("\n\nHuman:")
        }
        try shared.settle(request)
    }

    private mutating func decode(_ field: Field) throws(DecodeFailure) {
        switch field {
        case .prompt: request.rawPrompts = [.text(try reader.string())]
        case .maxTokens:
            request.sampling.maxTokens = try reader.integer(in: 1...Int64(Int32.max))
        case .stopSequences:
            guard try reader.kind() == .array else {
                throw reader.refusal(.invalidType, "Expected an array of strings.")
            }
            request.stopStrings = try shared.stopStrings(&reader)
        case .metadata:
            try reader.beginObject()
            while try reader.nextField(in: Self.metadataFields) != nil {
                request.user = try reader.string(limitBytes: limits.nameBytes)
            }
        case .n, .stop, .user, .streamOptions, .serviceTier: try reader.skip()
        }
    }
}

/// How they are answered.
package struct LegacyCompleteFormat: AnswerFormat {
    package var idPrefix: String { "compl_" }

    package func encoder(_ head: ChatResponseHead) -> any AnswerEncoder {
        LegacyCompleteEncoder(head: head)
    }

    package func write(_ completion: Completion, into buffer: inout ByteBuffer) {
        guard let choice = completion.choices.first else { return }
        Self.write(
            (choice.reasoningContent ?? "") + choice.content, choice.finishReason,
            completion.head, into: &buffer)
    }

    /// - Parameter reason: nil while there is none.
    fileprivate static func write(
        _ text: String, _ reason: FinishReason?, _ head: ChatResponseHead,
        into buffer: inout ByteBuffer
    ) {
        buffer.writeStaticString("{\"type\":\"completion\",\"id\":")
        buffer.writeJSONString(head.id)
        buffer.writeStaticString(",\"completion\":")
        buffer.writeJSONString(text)
        buffer.writeStaticString(",\"stop_reason\":")
        switch reason {
        case nil: buffer.writeStaticString("null")
        // The end of a turn is a stop sequence of the model's own.
        case .endOfSequence, .stopToken, .stopString, .toolCalls:
            buffer.writeStaticString("\"stop_sequence\"")
        case .maxTokens, .contextFull, .timeLimit, .budget, .cancelled:
            buffer.writeStaticString("\"max_tokens\"")
        }
        buffer.writeStaticString(",\"stop\":")
        if case .stopString(let text)? = reason {
            buffer.writeJSONString(text)
        } else {
            buffer.writeStaticString("null")
        }
        buffer.writeStaticString(",\"model\":")
        buffer.writeJSONString(head.model)
        if let reason { buffer.writeFinishDetail(CollectionOfOne(reason)) }
        buffer.writeStaticString("}")
    }
}

/// Events of one `/v1/complete`. Owned by the request's event loop.
private struct LegacyCompleteEncoder: AnswerEncoder {
    let head: ChatResponseHead
    var reason: FinishReason?
    var hasBegun = false

    init(head: ChatResponseHead) {
        self.head = head
    }

    mutating func begin(_ usage: Usage, into buffer: inout ByteBuffer) {
        hasBegun = true
    }

    mutating func write(
        _ piece: AnswerPiece, choice: Int, usage: Usage, into buffer: inout ByteBuffer
    ) {
        switch piece {
        case .text(let text, _), .reasoning(let text): writeEvent(text, nil, into: &buffer)
        // Nothing that this face asks for may be called.
        case .toolCall: break
        }
    }

    mutating func finish(
        _ reason: FinishReason, choice: Int, usage: Usage, into buffer: inout ByteBuffer
    ) {
        self.reason = reason
    }

    mutating func end(_ usage: Usage, into buffer: inout ByteBuffer) {
        writeEvent("", reason ?? .cancelled, into: &buffer)
    }

    mutating func fail(_ error: APIError, into buffer: inout ByteBuffer) {
        error.writeAnthropicEvent(into: &buffer)
    }

    func keepalive(_ progress: AnswerProgress, into buffer: inout ByteBuffer) {
        if hasBegun {
            buffer.writeStaticString("event: ping\ndata: {\"type\":\"ping\"}\n\n")
        } else {
            buffer.writeComment(progress)
        }
    }

    private func writeEvent(
        _ text: String, _ reason: FinishReason?, into buffer: inout ByteBuffer
    ) {
        buffer.writeStaticString("event: completion\ndata: ")
        LegacyCompleteFormat.write(text, reason, head, into: &buffer)
        buffer.writeStaticString("\n\n")
    }
}
