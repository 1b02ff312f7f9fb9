package import InferenceTypes

/// A `Generate` request as a worker gets it: decoded, defaults filled in, ranges checked.
package struct EngineGenerateRequest: Sendable, Hashable {
    /// The first choice; the others differ in their seed.
    package var generation: GenerationRequest
    /// How many choices to generate, at least 1.
    package var choices: Int
    /// False: one `Complete` per choice at its end, with all its tokens.
    package var streams: Bool
    /// Stop strings. A worker that sees token ids only may ignore them: gateways that make the text
    /// find them, too (smg cuts the text and says `stop`). What it costs is tokens nobody reads, as
    /// smg lets the engine go on to `max_tokens`.
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
