package import InferenceTypes

/// Who speaks in a message.
package enum ChatRole: String, Hashable, Sendable {
    case system
    /// The same as `system`, under its newer name.
    case developer
    case user
    case assistant
    case tool
    /// The older name of `tool`.
    case function
}

/// One turn of the conversation.
package struct ChatMessage: Hashable, Sendable {
    package var role: ChatRole
    /// Text parts joined without a separator. Nil only for an assistant that calls tools.
    package var content: String?
    package var name: String?
    /// What the assistant thought in an earlier turn, where the client sends it back.
    package var reasoningContent: String?
    package var toolCalls: [ChatToolCall] = []
    /// Which call a `tool` message answers.
    package var toolCallID: String?

    package init(role: ChatRole, content: String?) {
        self.role = role
        self.content = content
    }
}

/// How much to think, for models that can.
package enum ReasoningEffort: String, Hashable, Sendable {
    case none
    case minimal
    case low
    case medium
    case high
    case xhigh
}

/// A chat request that passed every check which needs neither the vocabulary nor the tenant.
///
/// The one model behind all faces (API.md §8). Later code never sees what arrived on the wire.
package struct ChatRequest: Hashable, Sendable {
    /// As asked for: a model's name or alias.
    package var model: String
    /// At least one; empty when `rawPrompts` is not.
    package var messages: [ChatMessage]
    /// Instead of messages, for faces without turns: nothing is put around them. Each has
    /// `choiceCount` choices; choice `i` belongs to prompt `i / choiceCount`.
    package var rawPrompts: [RawPrompt] = []
    /// Choices to generate, `n`; 1 or more.
    package var choiceCount: Int = 1
    package var isStreaming = false
    /// Send one usage chunk at the end of a stream. Only `include_usage: true` sets it (trap 2).
    package var includesUsage = false
    /// Everything but the seed, the stop tokens, the grammar and the prompt. `maxTokens` nil: to
    /// the context's end (trap 18). `logitBias` holds tokens that the vocabulary has yet to be
    /// asked about.
    package var sampling = SamplingParameters()
    /// Nil: the gateway draws one. Negative seeds are folded by bit pattern.
    package var seed: UInt64?
    /// Non-empty, found in visible text only, and never part of it.
    package var stopStrings: [String] = []
    /// What the model may call; empty for none.
    package var tools: [ToolDefinition] = []
    package var toolChoice = ToolChoice.auto
    /// Whether one answer may hold more than one call.
    package var allowsParallelToolCalls = true
    package var responseFormat = ResponseFormat.text
    /// How its face calls what is judged only after decoding.
    package var names = ParameterNames()
    /// The tier asked for; nil means the key's own.
    package var serviceTier: ServiceTier?
    /// Requests with an equal key want the worker that holds their prefix.
    package var promptCacheKey: String?
    package var reasoningEffort: ReasoningEffort?
    /// The client's name for its end user; for logs and limits only.
    package var user: String?
    /// Answer with a request id at once; the completion is fetched later.
    package var isDeferred = false
    /// Keep request and answer, to be fetched by the answer's id and to be continued.
    package var isStored = false
    /// The stored answer that this request continues: its turns come before `messages`.
    package var previousResponseID: String?
    /// Generate to the end even if the client goes away.
    package var isBackground = false

    /// Choices of all prompts together.
    package var totalChoices: Int { choiceCount * max(1, rawPrompts.count) }

    package init(model: String, messages: [ChatMessage]) {
        self.model = model
        self.messages = messages
    }
}

/// What a face calls the parameters that are judged behind it. Those of chat completions, unless
/// the face says otherwise.
package struct ParameterNames: Hashable, Sendable {
    package var tools = "tools"
    /// Of one tool, below `tools[i]`.
    package var toolSchema = "function.parameters"
    package var toolChoice = "tool_choice"
    package var responseFormat = "response_format"
    package var responseSchema = "response_format.json_schema.schema"

    package init() {}

    package func toolSchema(_ index: Int) -> String { "\(tools)[\(index)].\(toolSchema)" }
}
