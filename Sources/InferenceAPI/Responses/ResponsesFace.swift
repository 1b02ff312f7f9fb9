package import NIOCore

/// `POST /v1/responses` (OpenAI, "Responses"; docs.x.ai, "Create new response").
package struct ResponsesFace: RESTFace {
    package var name: String { "responses" }
    package var promptParameter: String { "input" }

    package init() {}

    package func decode(
        _ body: ByteBuffer, limits: ChatRequestLimits
    ) throws(APIError) -> FaceRequest {
        var decoder = ResponsesRequestDecoder(body, limits: limits)
        do {
            try decoder.decode()
        } catch {
            throw error.apiError(in: body, limits: limits.json)
        }
        return FaceRequest(chat: decoder.request, format: decoder.format)
    }
}

/// How responses are answered: what of the request the answer repeats. All that is needed to write
/// a stored answer again comes from its request's body.
package struct ResponsesFormat: AnswerFormat {
    /// A function as the client defined it.
    package struct Tool: Hashable, Sendable {
        package var definition: ToolDefinition
        /// As sent; nil when it was not.
        package var isStrict: Bool?
    }

    /// The system message that comes first among the request's messages; nil for none. Not carried
    /// over to requests that continue this one.
    package internal(set) var instructions: String?
    /// Whether the answer can be fetched later.
    package var isStored = true
    package internal(set) var isBackground = false
    package internal(set) var previousResponseID: String?
    package internal(set) var tools: [Tool] = []
    package internal(set) var allowsParallelToolCalls = true
    package internal(set) var temperature: Float = 1
    package internal(set) var topP: Float = 1
    package internal(set) var maxOutputTokens: Int?
    package internal(set) var maxToolCalls: Int?
    package internal(set) var topLogprobs = 0
    package internal(set) var promptCacheKey: String?
    package internal(set) var safetyIdentifier: String?
    package internal(set) var user: String?
    package internal(set) var reasoningEffort: ReasoningEffort?
    /// `auto`, `concise` or `detailed`, which all mean the same here.
    package internal(set) var reasoningSummary: String?
    package internal(set) var verbosity: String?
    // As the client sent them: JSON text.
    package internal(set) var metadata = "{}"
    package internal(set) var toolChoice = "\"auto\""
    package internal(set) var textFormat = #"{"type":"text"}"#

    package var idPrefix: String { Self.idPrefix }
    static let idPrefix = "resp_"

    package func encoder(_ head: ChatResponseHead) -> any AnswerEncoder {
        ResponsesStreamEncoder(format: self, head: head)
    }

    package func write(_ completion: Completion, into buffer: inout ByteBuffer) {
        guard let choice = completion.choices.first else { return }
        write(
            completion.head, ResponsesOutcome(choice.finishReason),
            ResponsesItem.items(of: choice, head: completion.head), completion.usage, into: &buffer)
    }

    /// Appends the response of a request that has no answer yet, or never will have.
    package func write(
        _ head: ChatResponseHead, _ state: UnfinishedResponse, into buffer: inout ByteBuffer
    ) {
        let outcome: ResponsesOutcome =
            switch state {
            case .queued: .queued
            case .inProgress: .inProgress
            case .cancelled: .cancelled
            case .failed(let error): .failed(error)
            }
        write(head, outcome, [], nil, into: &buffer)
    }

    /// The messages of a request that continues an earlier one.
    ///
    /// - Parameter history: what was said in the earlier requests and their answers, oldest first,
    ///   without their instructions.
    package func messages(of request: ChatRequest, after history: [ChatMessage]) -> [ChatMessage] {
        guard instructions != nil, let first = request.messages.first else {
            return history + request.messages
        }
        return [first] + history + request.messages.dropFirst()
    }

    /// What a later request gets to see of this one: its messages without the instructions, then
    /// the answer.
    package func history(of request: ChatRequest, _ completion: Completion) -> [ChatMessage] {
        var messages = request.messages
        if instructions != nil { messages.removeFirst() }
        guard let choice = completion.choices.first else { return messages }
        var answer = ChatMessage(
            role: .assistant,
            content: choice.content.isEmpty && !choice.toolCalls.isEmpty ? nil : choice.content)
        answer.reasoningContent = choice.reasoningContent
        answer.toolCalls = choice.toolCalls
        return messages + [answer]
    }
}

/// Where a response without output stands.
package enum UnfinishedResponse: Hashable, Sendable {
    case queued
    case inProgress
    case cancelled
    case failed(APIError)
}
