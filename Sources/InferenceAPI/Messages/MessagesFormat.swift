import InferenceTypes
package import NIOCore

/// How messages are answered.
package struct MessagesFormat: AnswerFormat {
    package var idPrefix: String { "msg_" }

    package init() {}

    package func encoder(_ head: ChatResponseHead) -> any AnswerEncoder {
        MessagesStreamEncoder(head: head)
    }

    /// The message object; it has one choice.
    package func write(_ completion: Completion, into buffer: inout ByteBuffer) {
        guard let choice = completion.choices.first else { return }
        Self.writeOpening(completion.head, into: &buffer)
        var isFirst = true
        for block in MessagesBlock.blocks(of: choice) {
            if !isFirst { buffer.writeStaticString(",") }
            isFirst = false
            block.write(into: &buffer)
        }
        buffer.writeStaticString("],")
        Self.write(choice.finishReason, into: &buffer)
        buffer.writeStaticString(",\"usage\":")
        Self.write(completion.usage, completion.head, into: &buffer)
        buffer.writeStaticString("}")
    }

    /// Up to and including `"content":[`.
    static func writeOpening(_ head: ChatResponseHead, into buffer: inout ByteBuffer) {
        buffer.writeStaticString("{\"id\":")
        buffer.writeJSONString(head.id)
        buffer.writeStaticString(",\"type\":\"message\",\"role\":\"assistant\",\"model\":")
        buffer.writeJSONString(head.model)
        buffer.writeStaticString(",\"content\":[")
    }

    /// `stop_reason` and `stop_sequence`, both null while there is no reason yet.
    static func write(_ reason: FinishReason?, into buffer: inout ByteBuffer) {
        buffer.writeStaticString("\"stop_reason\":")
        if let reason {
            buffer.writeStaticString("\"")
            buffer.writeStaticString(reason.anthropicName)
            buffer.writeStaticString("\"")
        } else {
            buffer.writeStaticString("null")
        }
        buffer.writeStaticString(",\"stop_sequence\":")
        if case .stopString(let text)? = reason {
            buffer.writeJSONString(text)
        } else {
            buffer.writeStaticString("null")
        }
        if let reason { buffer.writeFinishDetail(CollectionOfOne(reason)) }
    }

    /// `input_tokens` are those that no cache had; thinking is output like any other. Whatever is
    /// kept in a cache is kept unasked and costs nothing, so none is created.
    static func write(
        _ usage: Usage, _ head: ChatResponseHead, into buffer: inout ByteBuffer
    ) {
        buffer.writeStaticString("{\"input_tokens\":")
        buffer.writeJSONInteger(usage.promptTokens - usage.cachedTokens)
        buffer.writeStaticString(
            ",\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":")
        buffer.writeJSONInteger(usage.cachedTokens)
        buffer.writeStaticString(",\"output_tokens\":")
        buffer.writeJSONInteger(usage.completionTokens + usage.reasoningTokens)
        buffer.writeStaticString(",\"service_tier\":\"")
        switch head.serviceTier {
        case .priority: buffer.writeStaticString("priority")
        case .standard: buffer.writeStaticString("standard")
        case .batch: buffer.writeStaticString("batch")
        }
        buffer.writeStaticString("\"}")
    }
}

extension FinishReason {
    /// `stop_reason` of messages.
    var anthropicName: StaticString {
        switch self {
        case .endOfSequence, .stopToken: "end_turn"
        case .stopString: "stop_sequence"
        case .toolCalls: "tool_use"
        case .contextFull: "model_context_window_exceeded"
        case .maxTokens, .timeLimit, .budget, .cancelled: "max_tokens"
        }
    }
}

/// One block of an answer's content.
enum MessagesBlock: Hashable, Sendable {
    case thinking(String)
    case text(String)
    case toolUse(ChatToolCall)

    /// What a choice put out; none for an answer of nothing.
    static func blocks(of choice: Completion.Choice) -> [MessagesBlock] {
        var blocks: [MessagesBlock] = []
        if let reasoning = choice.reasoningContent { blocks.append(.thinking(reasoning)) }
        if !choice.content.isEmpty { blocks.append(.text(choice.content)) }
        return blocks + choice.toolCalls.map(MessagesBlock.toolUse)
    }

    /// - Parameter isEmpty: as it is when it has just begun.
    func write(isEmpty: Bool = false, into buffer: inout ByteBuffer) {
        switch self {
        case .thinking(let text):
            buffer.writeStaticString("{\"type\":\"thinking\",\"thinking\":")
            buffer.writeJSONString(isEmpty ? "" : text)
            // Nobody checks what a client sends back, so there is nothing to sign.
            buffer.writeStaticString(",\"signature\":\"\"}")
        case .text(let text):
            buffer.writeStaticString("{\"type\":\"text\",\"text\":")
            buffer.writeJSONString(isEmpty ? "" : text)
            buffer.writeStaticString("}")
        case .toolUse(let call):
            buffer.writeStaticString("{\"type\":\"tool_use\",\"id\":")
            buffer.writeJSONString(call.id)
            buffer.writeStaticString(",\"name\":")
            buffer.writeJSONString(call.name)
            buffer.writeStaticString(",\"input\":")
            if isEmpty {
                buffer.writeStaticString("{}")
            } else {
                buffer.writeJSONText(call.arguments)
            }
            buffer.writeStaticString("}")
        }
    }
}
