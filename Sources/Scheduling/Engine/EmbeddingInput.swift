package import InferenceTypes

/// One text whose embedding is computed, in chunks. Owned by the engine thread.
package struct EmbeddingInput: Sendable {
    package let tokens: [TokenID]
    /// Tokens that are computed.
    package var done = 0
    /// What is made of them so far.
    package var sum: [Float] = []

    package init(_ tokens: [TokenID]) {
        self.tokens = tokens
    }
}

/// What an engine that makes embeddings can do.
package struct EmbeddingProperties: Hashable, Sendable {
    /// Of each vector.
    package var dimensions: Int
    /// Longest input.
    package var tokensMax: Int
    /// Tokens that are computed at once, between two steps.
    package var chunkTokens: Int

    package init(dimensions: Int, tokensMax: Int, chunkTokens: Int) {
        self.dimensions = dimensions
        self.tokensMax = tokensMax
        self.chunkTokens = chunkTokens
    }
}
