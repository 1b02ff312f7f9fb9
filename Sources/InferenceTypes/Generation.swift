/// The service level a request runs at, best first (`SCHEDULING.md` §2a).
package enum ServiceTier: UInt8, Hashable, Comparable, CaseIterable, Sendable {
    case priority
    case standard
    case batch

    /// The name on the wire: `service_tier` in APIs, `switchyard-tier` in metadata.
    package var name: String {
        switch self {
        case .priority: "priority"
        case .standard: "default"
        case .batch: "batch"
        }
    }

    package init?(name: some StringProtocol) {
        switch name {
        case "priority": self = .priority
        case "default", "standard", "auto": self = .standard
        case "batch", "flex": self = .batch
        default: return nil
        }
    }

    package static func < (left: ServiceTier, right: ServiceTier) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// One choice to be generated, as the worker sees it: token ids in, token ids out.
package struct GenerationRequest: Hashable, Sendable {
    /// Unique among a worker's running requests; appears in logs and in `Abort`.
    package var id: String
    /// Templated and tokenized prompt, in order. When `resumedTokens` is not 0 the last that many
    /// are output that another worker already generated.
    package var prompt: [TokenID]
    package var sampling: SamplingParameters
    package var tier: ServiceTier = .standard
    /// Who is billed; empty for the single built-in tenant.
    package var tenant: String = ""
    /// Its part of what its tier's tenants share, in proportion to theirs (metadata
    /// `switchyard-tenant-weight`).
    package var tenantWeight: Double = 1
    /// How many tokens at the end of `prompt` are generated output (metadata
    /// `switchyard-position`).
    package var resumedTokens: Int = 0
    /// With which the hashes of its KV blocks are salted when the worker reports them; nil when
    /// nobody said (metadata `switchyard-prefix-salt`).
    package var prefixSalt: UInt64?
    /// Nil: nobody bills it (metadata `switchyard-usage`).
    package var usage: UsageIdentity?

    package init(id: String, prompt: [TokenID], sampling: SamplingParameters) {
        self.id = id
        self.prompt = prompt
        self.sampling = sampling
    }
}

/// Why a choice ended. `InferenceAPI` maps these to each face's words (API.md §8).
package enum FinishReason: Hashable, Sendable {
    /// An end-of-generation token of the vocabulary.
    case endOfSequence
    /// One of `stopTokens`.
    case stopToken(TokenID)
    /// A stop string, found by the gateway.
    case stopString(String)
    /// The end of an answer that calls tools, found by the gateway.
    case toolCalls
    /// `maxTokens` reached.
    case maxTokens
    /// The context window is full.
    case contextFull
    /// The time limit or deadline passed; what was generated stands.
    case timeLimit
    /// The next token cannot be paid for, found by the gateway.
    case budget
    /// Cancelled by the client or by an operator.
    case cancelled
}

/// A generated token's log probability and its most probable alternatives.
package struct TokenLogprob: Hashable, Sendable {
    package struct Alternative: Hashable, Sendable {
        package var token: TokenID
        package var logprob: Float

        package init(token: TokenID, logprob: Float) {
            self.token = token
            self.logprob = logprob
        }
    }

    package var token: TokenID
    /// Natural logarithm, of the model's own distribution (before temperature and truncation).
    package var logprob: Float
    /// Most probable first; the sampled token appears only where it ranks.
    package var top: [Alternative]

    package init(token: TokenID, logprob: Float, top: [Alternative]) {
        self.token = token
        self.logprob = logprob
        self.top = top
    }
}

/// Token counts of one choice, or the sum over choices.
package struct Usage: Hashable, Sendable {
    package var promptTokens: Int
    /// Prompt tokens whose KV was already resident; at most `promptTokens`.
    package var cachedTokens: Int
    /// Visible output only; reasoning is counted apart.
    package var completionTokens: Int
    /// Output between the model's reasoning marks.
    package var reasoningTokens: Int
    /// In USD ticks (10⁻¹⁰ USD); 0 without a price.
    package var costTicks: Int64

    package init(
        promptTokens: Int = 0, cachedTokens: Int = 0, completionTokens: Int = 0,
        reasoningTokens: Int = 0, costTicks: Int64 = 0
    ) {
        self.promptTokens = promptTokens
        self.cachedTokens = cachedTokens
        self.completionTokens = completionTokens
        self.reasoningTokens = reasoningTokens
        self.costTicks = costTicks
    }

    /// Prompt, visible output and reasoning (API.md §4.1).
    package var totalTokens: Int { promptTokens + completionTokens + reasoningTokens }
}
