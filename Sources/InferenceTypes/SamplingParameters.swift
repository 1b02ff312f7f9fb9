/// A token's number in its model's vocabulary. Never negative for a real token.
package typealias TokenID = Int32

/// How the next token is chosen. Values are validated where they enter (`InferenceAPI` for clients,
/// `Worker` for other gateways); the ranges below hold afterwards.
package struct SamplingParameters: Hashable, Sendable {
    /// 0 means greedy; otherwise 0...2.
    package var temperature: Float = 1
    /// Nucleus: 0 < topP <= 1; 1 switches it off.
    package var topP: Float = 1
    /// Keep this many most probable tokens; 0 switches it off.
    package var topK: Int = 0
    /// Drop tokens less probable than `minP` times the best; 0 switches it off.
    package var minP: Float = 0
    /// -2...2, per occurrence in the output so far.
    package var frequencyPenalty: Float = 0
    /// -2...2, once for each token that occurs in the output so far.
    package var presencePenalty: Float = 0
    /// Over 0; above 1 discourages tokens of prompt and output; 1 switches it off.
    package var repetitionPenalty: Float = 1
    /// Added to the logits, ordered by token, no token twice. -100...100.
    package var logitBias: [TokenBias] = []
    /// Random numbers are a function of (seed, position) alone, so a resumed stream goes on as it
    /// would have.
    package var seed: UInt64 = 0
    /// Go on past end-of-generation tokens (benchmarks).
    package var ignoreEndOfSequence = false
    /// Most tokens to generate; nil means until the context is full.
    package var maxTokens: Int?
    /// End-of-generation and stop tokens are not sampled before this many tokens.
    package var minTokens: Int = 0
    /// Tokens that end generation besides the vocabulary's own; not part of the text.
    package var stopTokens: [TokenID] = []
    /// Nil: no log probabilities. Otherwise how many alternatives to report with each (0...20).
    package var topLogprobs: Int?
    /// A GBNF grammar that the output must match.
    package var grammar: String?

    package init() {}

    package var isGreedy: Bool { temperature <= 0 }
}

package struct TokenBias: Hashable, Sendable {
    package var token: TokenID
    package var bias: Float

    package init(token: TokenID, bias: Float) {
        self.token = token
        self.bias = bias
    }
}
