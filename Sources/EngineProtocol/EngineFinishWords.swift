import InferenceTypes

/// `finish_reason` as vLLM writes it, and the trailer that says more where it has too few words.
enum EngineFinishWords {
    static func word(of reason: FinishReason) -> String {
        switch reason {
        case .endOfSequence, .stopToken, .stopString, .toolCalls: "stop"
        case .maxTokens, .contextFull, .timeLimit, .budget: "length"
        case .cancelled: "abort"
        }
    }

    /// The value of `switchyard-finish`, nil where the word is enough.
    static func detail(of reason: FinishReason) -> String? {
        switch reason {
        case .contextFull: "context-full"
        case .timeLimit: "time-limit"
        default: nil
        }
    }

    /// The reason behind a word; nil for `error`, which is a failure. A word that we do not know
    /// ends the choice like a stop: the tokens before it are good.
    static func reason(word: String, detail: String?) -> FinishReason? {
        switch word {
        case "error": nil
        case "abort": .cancelled
        case "length":
            switch detail {
            case "context-full": .contextFull
            case "time-limit": .timeLimit
            default: .maxTokens
            }
        default: .endOfSequence
        }
    }
}
