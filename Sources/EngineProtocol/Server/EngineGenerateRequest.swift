package import InferenceTypes

/// A `Generate` request as a worker gets it: decoded, defaults filled in, ranges checked.
package struct EngineGenerateRequest: Sendable, Hashable {
    /// The first choice; the others differ in their seed.
    package var generation: GenerationRequest
    /// How many choices to generate, at least 1.
    package var choices: Int
    /// False: one `Complete` per choice at its end, with all its tokens.
    package var streams: Bool
    /// Stop strings: a choice ends with the token that completes one, as with vLLM. smg cuts the
    /// text by itself, but lets the engine go on and bills what it made; our gateway sends none and
    /// cancels.
    package var stopStrings: [String]
    package var metadata: EngineMetadata

    package init(
        generation: GenerationRequest, choices: Int = 1, streams: Bool = true,
        stopStrings: [String] = [], metadata: EngineMetadata = EngineMetadata()
    ) {
        self.generation = generation
        self.choices = choices
        self.streams = streams
        self.stopStrings = stopStrings
        self.metadata = metadata
    }

    /// The seed of choice `index`: the request's own for the first, numbers derived from it for
    /// the others.
    package func seed(forChoice index: Int) -> UInt64 {
        let seed = generation.sampling.seed
        return index == 0 ? seed : SeededGenerator.value(seed: seed, counter: UInt64(index))
    }
}
