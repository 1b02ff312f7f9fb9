package import InferenceTypes

/// What an engine answers to a plan.
package struct StepResult: Hashable, Sendable {
    /// One for each entry with a `sample`, in the plan's order.
    package var samples: [SampledToken]
    /// Slots whose sampler cannot go on (a grammar that does not parse, or that admits no token).
    /// Their requests fail; a sample stands in `samples` all the same and is not looked at.
    package var samplerFailures: [SamplerFailure]
    /// How long the step took, operations and sampling included, in real or modelled time.
    package var durationNanoseconds: Int64

    package init(
        samples: [SampledToken], samplerFailures: [SamplerFailure] = [],
        durationNanoseconds: Int64
    ) {
        self.samples = samples
        self.samplerFailures = samplerFailures
        self.durationNanoseconds = durationNanoseconds
    }
}

/// A token drawn at the end of an entry.
package struct SampledToken: Hashable, Sendable {
    package var token: TokenID
    /// True for the vocabulary's end-of-generation tokens; the scheduler decides whether that ends
    /// the request.
    package var isEndOfGeneration: Bool
    /// Present when the request asked for log probabilities.
    package var logprob: TokenLogprob?

    package init(token: TokenID, isEndOfGeneration: Bool, logprob: TokenLogprob? = nil) {
        self.token = token
        self.isEndOfGeneration = isEndOfGeneration
        self.logprob = logprob
    }
}

/// A sampling slot that cannot go on.
package struct SamplerFailure: Hashable, Sendable {
    package var slot: Int
    /// For the log and the client.
    package var message: String

    package init(slot: Int, message: String) {
        self.slot = slot
        self.message = message
    }
}
