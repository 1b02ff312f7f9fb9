package import InferenceTypes

/// Some tokens of one choice, as they leave the engine.
package struct EngineTokens: Sendable, Hashable {
    package var tokens: [TokenID]
    /// One per token, when the request asks for them.
    package var logprobs: [TokenLogprob]?
    package var promptTokens: Int
    /// Tokens of this choice so far, these included. The client fills it in; a server need not.
    /// (On the wire a chunk counts its own tokens only, as vLLM's does.)
    package var completionTokens: Int
    /// Prompt tokens whose KV was resident.
    package var cachedTokens: Int
    /// Which of the request's `n` choices.
    package var index: Int

    package init(
        tokens: [TokenID], logprobs: [TokenLogprob]? = nil, promptTokens: Int = 0,
        completionTokens: Int = 0, cachedTokens: Int = 0, index: Int = 0
    ) {
        self.tokens = tokens
        self.logprobs = logprobs
        self.promptTokens = promptTokens
        self.completionTokens = completionTokens
        self.cachedTokens = cachedTokens
        self.index = index
    }
}

/// The end of one choice.
package struct EngineFinish: Sendable, Hashable {
    package var reason: FinishReason
    package var usage: Usage
    package var index: Int

    package init(reason: FinishReason, usage: Usage, index: Int = 0) {
        self.reason = reason
        self.usage = usage
        self.index = index
    }
}
