import InferenceTypes
import NIOCore

/// `chat.completion` (API.md §4.1).
extension Completion {
    /// Appends the JSON object.
    func writeChat(into buffer: inout ByteBuffer) {
        buffer.writeStaticString("{\"id\":")
        buffer.writeJSONString(head.id)
        buffer.writeStaticString(",\"object\":\"chat.completion\",\"created\":")
        buffer.writeJSONInteger(head.created)
        buffer.writeStaticString(",\"model\":")
        buffer.writeJSONString(head.model)
        buffer.writeStaticString(",\"choices\":[")
        for (index, choice) in choices.enumerated() {
            if index > 0 { buffer.writeStaticString(",") }
            Self.writeChat(choice, index: index, into: &buffer)
        }
        buffer.writeStaticString("],\"usage\":")
        buffer.writeChatUsage(usage)
        buffer.writeStaticString(",\"system_fingerprint\":")
        buffer.writeJSONString(orNull: head.systemFingerprint)
        buffer.writeStaticString(",\"service_tier\":")
        buffer.writeJSONString(head.serviceTier.name)
        buffer.writeFinishDetail(choices.lazy.map(\.finishReason))
        buffer.writeStaticString("}")
    }

    private static func writeChat(
        _ choice: Choice, index: Int, into buffer: inout ByteBuffer
    ) {
        buffer.writeStaticString("{\"index\":")
        buffer.writeJSONInteger(index)
        buffer.writeStaticString(",\"message\":{\"role\":\"assistant\",\"content\":")
        // Null beside calls, as OpenAI has it.
        buffer.writeJSONString(
            orNull: choice.content.isEmpty && !choice.toolCalls.isEmpty ? nil : choice.content)
        if let reasoning = choice.reasoningContent {
            buffer.writeStaticString(",\"reasoning_content\":")
            buffer.writeJSONString(reasoning)
        }
        if !choice.toolCalls.isEmpty {
            buffer.writeStaticString(",\"tool_calls\":[")
            for (index, call) in choice.toolCalls.enumerated() {
                if index > 0 { buffer.writeStaticString(",") }
                buffer.writeStaticString("{")
                buffer.writeChatToolCall(call)
            }
            buffer.writeStaticString("]")
        }
        buffer.writeStaticString(",\"refusal\":null}")
        if let logprobs = choice.logprobs {
            buffer.writeStaticString(",\"logprobs\":")
            buffer.writeChatLogprobs(logprobs)
        }
        buffer.writeStaticString(",\"finish_reason\":\"")
        buffer.writeStaticString(choice.finishReason.chatName)
        buffer.writeStaticString("\"}")
    }
}
