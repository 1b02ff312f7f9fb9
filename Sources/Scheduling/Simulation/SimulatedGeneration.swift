package import InferenceTypes

/// The tokens that a simulated engine generates: a pure function of seed, prompt and position, so
/// that a request yields the same output whatever it is batched with, on whichever worker.
package struct SimulatedGeneration: Hashable, Sendable {
    /// When requests end by themselves.
    package enum OutputLength: Hashable, Sendable {
        /// Never: `maxTokens` or the context ends them.
        case untilMaxTokens
        case fixed(Int)
        /// Uniform, by prompt and seed.
        case uniform(ClosedRange<Int>)
        /// Geometric with this mean.
        case geometric(mean: Int)
    }

    package var seed: UInt64
    /// Whence ordinary tokens come: the vocabulary without special tokens.
    package var tokens: Range<TokenID>
    package var endOfGenerationToken: TokenID
    package var outputLength: OutputLength

    package init(
        seed: UInt64 = 1, tokens: Range<TokenID>, endOfGenerationToken: TokenID,
        outputLength: OutputLength = .untilMaxTokens
    ) {
        precondition(!tokens.isEmpty && !tokens.contains(endOfGenerationToken))
        self.seed = seed
        self.tokens = tokens
        self.endOfGenerationToken = endOfGenerationToken
        self.outputLength = outputLength
    }

    /// A stream's number: what its tokens depend on besides their position.
    package func stream(
        prompt: some Sequence<TokenID>, parameters: SamplingParameters
    ) -> UInt64 {
        let start = SeededGenerator.mix(seed ^ (parameters.isGreedy ? 0 : parameters.seed))
        return prompt.reduce(start) { Self.chain($0, $1) }
    }

    /// A hash of a sequence of tokens, extended by one.
    static func chain(_ hash: UInt64, _ token: TokenID) -> UInt64 {
        SeededGenerator.mix(hash ^ UInt64(UInt32(bitPattern: token)))
    }

    /// The token at a place of the output (0 is the first).
    package func sample(
        stream: UInt64, position: Int, parameters: SamplingParameters
    ) -> SampledToken {
        let value = SeededGenerator.value(seed: stream, counter: UInt64(position))
        if position >= parameters.minTokens, !parameters.ignoreEndOfSequence,
            ends(stream, at: position, value)
        {
            return sampled(endOfGenerationToken, true, value, parameters)
        }
        let count = UInt64(tokens.count)
        var token = tokens.lowerBound + TokenID(value % count)
        if position < parameters.minTokens, parameters.stopTokens.contains(token) {
            token = tokens.first { !parameters.stopTokens.contains($0) } ?? token
        }
        return sampled(token, false, value, parameters)
    }

    private func ends(_ stream: UInt64, at position: Int, _ value: UInt64) -> Bool {
        switch outputLength {
        case .untilMaxTokens: return false
        case .fixed(let length): return position >= length
        case .uniform(let range):
            let draw = SeededGenerator.value(seed: ~stream, counter: 0)
            return position >= range.lowerBound + Int(draw % UInt64(range.count))
        case .geometric(let mean):
            let draw = SeededGenerator.unit(seed: ~stream, counter: UInt64(position))
            return draw * Double(mean) < 1
        }
    }

    /// With log probabilities of the right form, if they are asked for.
    private func sampled(
        _ token: TokenID, _ isEnd: Bool, _ value: UInt64, _ parameters: SamplingParameters
    ) -> SampledToken {
        guard let count = parameters.topLogprobs else {
            return SampledToken(token: token, isEndOfGeneration: isEnd)
        }
        let logprob = -Float(value >> 40) / 16_777_216 - 0.01
        let top = (0..<count).map { rank in
            TokenLogprob.Alternative(
                token: rank == 0
                    ? token
                    : tokens.lowerBound + TokenID((Int(token) + rank) % tokens.count),
                logprob: logprob - Float(rank))
        }
        return SampledToken(
            token: token, isEndOfGeneration: isEnd,
            logprob: TokenLogprob(token: token, logprob: logprob, top: top))
    }
}
