package import InferenceTypes

/// What every chunk of a stream, and every whole answer, repeats.
package struct ChatResponseHead: Hashable, Sendable {
    /// `chatcmpl-…`; the same in every chunk (trap 16).
    package var id: String
    /// Unix seconds; constant for the request.
    package var created: Int
    /// The resolved name, not an alias.
    package var model: String
    /// Names model and serving configuration; nil is sent as null.
    package var systemFingerprint: String?
    /// The tier granted, not the one asked for.
    package var serviceTier: ServiceTier

    package init(
        id: String, created: Int, model: String, systemFingerprint: String?,
        serviceTier: ServiceTier
    ) {
        self.id = id
        self.created = created
        self.model = model
        self.systemFingerprint = systemFingerprint
        self.serviceTier = serviceTier
    }
}

extension FinishReason {
    /// `finish_reason` of chat completions (API.md §8). The set is closed: `stop`, `length`,
    /// `tool_calls`, `content_filter`.
    package var chatName: StaticString {
        switch self {
        case .endOfSequence, .stopToken, .stopString: "stop"
        case .toolCalls: "tool_calls"
        // A cancelled choice that still has a reader was cut short by an operator.
        case .maxTokens, .contextFull, .timeLimit, .budget, .cancelled: "length"
        }
    }
}

/// A token's log probability with the texts that the vocabulary gives the tokens.
package struct ChatTokenLogprob: Hashable, Sendable {
    package struct Candidate: Hashable, Sendable {
        /// The token's own bytes, which need not be UTF-8.
        package var bytes: [UInt8]
        package var logprob: Float

        package init(bytes: [UInt8], logprob: Float) {
            self.bytes = bytes
            self.logprob = logprob
        }
    }

    package var token: Candidate
    /// Most probable first; empty when none were asked for.
    package var top: [Candidate]

    package init(token: Candidate, top: [Candidate]) {
        self.token = token
        self.top = top
    }
}
