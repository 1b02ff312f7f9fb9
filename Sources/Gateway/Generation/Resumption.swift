import InferenceTypes

/// How a choice that has tokens goes on with another worker.
///
/// Our worker is told how many of the prompt's last tokens were generated (`switchyard-position`)
/// and goes on exactly. Another product's worker knows nothing of that: to it they are prompt. That
/// is right only while no token's choice depends on its position or on what was generated before.
enum Resumption {
    /// `request` as another product's worker must get it; nil when that worker cannot go on with
    /// it. A request without generated tokens stays as it is.
    ///
    /// - Parameter isSeedPromised: the client chose the seed, so that the same request is to get
    ///   the same answer. Otherwise the rest gets a seed of its own: with the first one it would
    ///   draw the answer's first random numbers again.
    static func foreign(
        _ request: GenerationRequest, isSeedPromised: Bool
    ) -> GenerationRequest? {
        let generated = request.resumedTokens
        guard generated > 0 else { return request }
        let sampling = request.sampling
        guard !dependsOnHistory(sampling), sampling.temperature == 0 || !isSeedPromised else {
            return nil
        }
        var request = request
        request.resumedTokens = 0
        // It counts from its own first token.
        request.sampling.maxTokens = sampling.maxTokens.map { max(1, $0 - generated) }
        request.sampling.minTokens = max(0, sampling.minTokens - generated)
        request.sampling.seed = SeededGenerator.value(
            seed: sampling.seed, counter: UInt64(generated))
        return request
    }

    /// Whether earlier output has a say in the next token besides being its context.
    private static func dependsOnHistory(_ sampling: SamplingParameters) -> Bool {
        sampling.grammar != nil || sampling.frequencyPenalty != 0
            || sampling.presencePenalty != 0 || sampling.repetitionPenalty != 1
    }
}
