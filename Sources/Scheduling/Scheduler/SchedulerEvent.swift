package import InferenceTypes

/// Why a request was not taken. Nothing was done for it; a retry elsewhere is safe.
package enum SubmitError: Error, Hashable, Sendable {
    /// The prompt leaves no room for output: it must be shorter than `limit` tokens.
    case promptTooLong(limit: Int)
    case emptyPrompt
    /// `resumedTokens` is negative or leaves no prompt.
    case invalidResume
    /// `maxTokens` is not more than `resumedTokens`.
    case nothingToGenerate
    /// `waitingRequestsMax` requests of this tier or better ones wait already.
    case queueFull(limit: Int)
    /// The key belongs to a request that has not ended.
    case duplicateKey
}

/// What became of requests, in order of happening. A request that was submitted ends with exactly
/// one of `finished` and `failed`, its last event, unless `cancel` ended it.
package enum SchedulerEvent: Hashable, Sendable {
    /// The request got a slot. Comes again when it was preempted.
    case started(key: SequenceKey, cachedTokens: Int, waitedNanoseconds: Int64)
    /// A chunk of prompt (or of output computed again after preemption) is in the cache: exactly
    /// these positions, as one entry.
    case prefilled(key: SequenceKey, positions: Range<Int>)
    case token(GeneratedToken)
    /// The request lost its slot and waits again; it keeps its tokens and goes on later.
    case preempted(key: SequenceKey)
    /// Boxed, so that the events of a step of tokens stay small.
    indirect case finished(FinishedRequest)
    case failed(key: SequenceKey, RequestFailure)

    /// Whom the event is about.
    package var key: SequenceKey {
        switch self {
        case .started(let key, _, _), .prefilled(let key, _), .preempted(let key),
            .failed(let key, _):
            key
        case .token(let token): token.key
        case .finished(let finished): finished.key
        }
    }
}

/// One token of output, emitted once.
package struct GeneratedToken: Hashable, Sendable {
    package var key: SequenceKey
    package var token: TokenID
    /// Place in the output, resumed tokens included: a resumed request starts at `resumedTokens`.
    package var index: Int
    /// True for the end-of-generation or stop token that ends the request: counted in the usage,
    /// not part of the text. `finished` follows.
    package var endsGeneration: Bool
    package var logprob: TokenLogprob?

    package init(
        key: SequenceKey, token: TokenID, index: Int, endsGeneration: Bool,
        logprob: TokenLogprob? = nil
    ) {
        self.key = key
        self.token = token
        self.index = index
        self.endsGeneration = endsGeneration
        self.logprob = logprob
    }
}

/// A request's end and its account.
package struct FinishedRequest: Hashable, Sendable {
    package var key: SequenceKey
    package var reason: FinishReason
    /// Resumed tokens count as output that another worker generated: they are neither prompt nor
    /// completion here.
    package var usage: Usage
    package var timing: RequestTiming

    package init(
        key: SequenceKey, reason: FinishReason, usage: Usage, timing: RequestTiming
    ) {
        self.key = key
        self.reason = reason
        self.usage = usage
        self.timing = timing
    }
}

/// When things happened to a request; nil for what did not.
package struct RequestTiming: Hashable, Sendable {
    package var submitted: Instant
    /// First time it got a slot.
    package var admitted: Instant?
    package var firstToken: Instant?
    package var lastToken: Instant?
    package var preemptions = 0

    package init(submitted: Instant) {
        self.submitted = submitted
    }
}

/// Why a running request could not go on.
package enum RequestFailure: Hashable, Sendable {
    /// The engine broke; every running request ends so.
    case engine(code: Int32, message: String)
    /// The request's own sampler refused (grammar).
    case sampler(message: String)
}
