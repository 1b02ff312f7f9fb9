package import InferenceTypes
package import NIOCore

/// `POST /v1/chat/completions`: OpenAI's and xAI's REST face.
package struct ChatFace: RESTFace {
    package var name: String { "chat_completions" }

    package init() {}

    package func decode(
        _ body: ByteBuffer, limits: ChatRequestLimits
    ) throws(APIError) -> FaceRequest {
        let chat = try ChatCompletionRequest.decode(body, limits: limits)
        return FaceRequest(
            chat: chat,
            format: ChatFormat(choiceCount: chat.choiceCount, includesUsage: chat.includesUsage))
    }
}

/// How chat completions are answered.
package struct ChatFormat: AnswerFormat {
    let choiceCount: Int
    let includesUsage: Bool

    package init(choiceCount: Int, includesUsage: Bool) {
        self.choiceCount = choiceCount
        self.includesUsage = includesUsage
    }

    package var idPrefix: String { "chatcmpl-" }

    package func encoder(_ head: ChatResponseHead) -> any AnswerEncoder {
        ChatAnswerEncoder(
            events: ChatStreamEncoder(head: head, choiceCount: choiceCount),
            toolCalls: Array(repeating: 0, count: choiceCount), includesUsage: includesUsage)
    }

    package func write(_ completion: Completion, into buffer: inout ByteBuffer) {
        completion.writeChat(into: &buffer)
    }
}

/// Pieces as `chat.completion.chunk` events.
package struct ChatAnswerEncoder: AnswerEncoder {
    var events: ChatStreamEncoder
    /// Written so far, by choice.
    var toolCalls: [Int]
    let includesUsage: Bool

    /// The first delta of each choice has all that others begin with.
    package mutating func begin(_ usage: Usage, into buffer: inout ByteBuffer) {}

    package mutating func write(
        _ piece: AnswerPiece, choice: Int, usage: Usage, into buffer: inout ByteBuffer
    ) {
        switch piece {
        case .text(let text, let logprobs):
            events.writeContent(text, logprobs: logprobs, choice: choice, into: &buffer)
        case .reasoning(let text):
            events.writeReasoning(text, choice: choice, into: &buffer)
        case .toolCall(let call):
            events.writeToolCall(call, index: toolCalls[choice], choice: choice, into: &buffer)
            toolCalls[choice] += 1
        }
    }

    package mutating func finish(
        _ reason: FinishReason, choice: Int, usage: Usage, into buffer: inout ByteBuffer
    ) {
        events.writeFinish(reason, choice: choice, into: &buffer)
    }

    package mutating func end(_ usage: Usage, into buffer: inout ByteBuffer) {
        if includesUsage { events.writeUsage(usage, into: &buffer) }
        events.writeDone(into: &buffer)
    }

    package mutating func fail(_ error: APIError, into buffer: inout ByteBuffer) {
        events.writeError(error, into: &buffer)
    }
}
