import InferenceTypes
import NIOCore

/// One entry of a response's `output`.
struct ResponsesItem: Hashable, Sendable {
    enum Content: Hashable, Sendable {
        case reasoning(String)
        case message(String, logprobs: [ChatTokenLogprob]?)
        case functionCall(ChatToolCall)
    }

    var id: String
    var content: Content

    init(_ content: Content, index: Int, head: ChatResponseHead) {
        let prefix =
            switch content {
            case .reasoning: "rs_"
            case .message: "msg_"
            case .functionCall: "fc_"
            }
        // From the answer's id, so that a stored answer is written the same again.
        id = prefix + head.id.dropFirst(ResponsesFormat.idPrefix.count) + "_\(index)"
        self.content = content
    }

    /// Calls are whole or not there at all.
    var isWhole: Bool {
        if case .functionCall = content { true } else { false }
    }

    /// What a choice put out. An answer of nothing is a message without text.
    static func items(
        of choice: Completion.Choice, head: ChatResponseHead
    ) -> [ResponsesItem] {
        var contents: [Content] = []
        if let reasoning = choice.reasoningContent { contents.append(.reasoning(reasoning)) }
        if !choice.content.isEmpty || (contents.isEmpty && choice.toolCalls.isEmpty) {
            contents.append(.message(choice.content, logprobs: choice.logprobs))
        }
        contents += choice.toolCalls.map(Content.functionCall)
        return contents.enumerated().map { ResponsesItem($1, index: $0, head: head) }
    }

    /// Appends the item, whole or, for `in_progress`, as it is when it has just been added.
    func write(status: StaticString, isEmpty: Bool = false, into buffer: inout ByteBuffer) {
        buffer.writeStaticString("{\"id\":")
        buffer.writeJSONString(id)
        switch content {
        case .reasoning(let text):
            buffer.writeStaticString(",\"type\":\"reasoning\",\"summary\":[")
            if !isEmpty { Self.writeSummary(text, into: &buffer) }
            buffer.writeStaticString("]")
        case .message(let text, let logprobs):
            buffer.writeStaticString(",\"type\":\"message\",\"role\":\"assistant\",\"content\":[")
            if !isEmpty { Self.writeText(text, logprobs, into: &buffer) }
            buffer.writeStaticString("]")
        case .functionCall(let call):
            buffer.writeStaticString(",\"type\":\"function_call\",\"call_id\":")
            buffer.writeJSONString(call.id)
            buffer.writeStaticString(",\"name\":")
            buffer.writeJSONString(call.name)
            buffer.writeStaticString(",\"arguments\":")
            buffer.writeJSONString(isEmpty ? "" : call.arguments)
        }
        buffer.writeStaticString(",\"status\":\"")
        buffer.writeStaticString(status)
        buffer.writeStaticString("\"}")
    }

    /// A part of a message.
    static func writeText(
        _ text: String, _ logprobs: [ChatTokenLogprob]?, into buffer: inout ByteBuffer
    ) {
        buffer.writeStaticString("{\"type\":\"output_text\",\"text\":")
        buffer.writeJSONString(text)
        buffer.writeStaticString(",\"annotations\":[],\"logprobs\":")
        buffer.writeTokenLogprobs(logprobs ?? [])
        buffer.writeStaticString("}")
    }

    /// A part of a reasoning item.
    static func writeSummary(_ text: String, into buffer: inout ByteBuffer) {
        buffer.writeStaticString("{\"type\":\"summary_text\",\"text\":")
        buffer.writeJSONString(text)
        buffer.writeStaticString("}")
    }
}
