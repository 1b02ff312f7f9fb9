package import InferenceTypes
package import NIOCore

/// A whole answer: `chat.completion` (API.md §4.1).
package struct ChatCompletionResponse: Hashable, Sendable {
    package struct Choice: Hashable, Sendable {
        package var content: String
        /// Left out of the answer when nil.
        package var reasoningContent: String?
        /// Nil when log probabilities were not asked for; the field is then left out.
        package var logprobs: [ChatTokenLogprob]?
        package var finishReason: FinishReason

        package init(content: String, finishReason: FinishReason) {
            self.content = content
            self.finishReason = finishReason
        }
    }

    package var head: ChatResponseHead
    /// In order of `index`.
    package var choices: [Choice]
    /// Of all choices together; the prompt counts once.
    package var usage: Usage

    package init(head: ChatResponseHead, choices: [Choice], usage: Usage) {
        self.head = head
        self.choices = choices
        self.usage = usage
    }

    /// Appends the JSON object.
    package func write(into buffer: inout ByteBuffer) {
        buffer.writeStaticString("{\"id\":")
        buffer.writeJSONString(head.id)
        buffer.writeStaticString(",\"object\":\"chat.completion\",\"created\":")
        buffer.writeJSONInteger(head.created)
        buffer.writeStaticString(",\"model\":")
        buffer.writeJSONString(head.model)
        buffer.writeStaticString(",\"choices\":[")
        for (index, choice) in choices.enumerated() {
            if index > 0 { buffer.writeStaticString(",") }
            Self.write(choice, index: index, into: &buffer)
        }
        buffer.writeStaticString("],\"usage\":")
        buffer.writeChatUsage(usage)
        buffer.writeStaticString(",\"system_fingerprint\":")
        buffer.writeJSONString(orNull: head.systemFingerprint)
        buffer.writeStaticString(",\"service_tier\":")
        buffer.writeJSONString(head.serviceTier.name)
        buffer.writeStaticString("}")
    }

    private static func write(_ choice: Choice, index: Int, into buffer: inout ByteBuffer) {
        buffer.writeStaticString("{\"index\":")
        buffer.writeJSONInteger(index)
        buffer.writeStaticString(",\"message\":{\"role\":\"assistant\",\"content\":")
        buffer.writeJSONString(choice.content)
        if let reasoning = choice.reasoningContent {
            buffer.writeStaticString(",\"reasoning_content\":")
            buffer.writeJSONString(reasoning)
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
