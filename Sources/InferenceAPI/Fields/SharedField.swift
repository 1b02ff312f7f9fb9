import InferenceTypes

/// Fields that mean the same in the bodies of several faces. Which of them a face has is for its
/// decoder to say.
enum SharedField: String, CaseIterable, Sendable {
    case model, stream, n, temperature, seed, stop, user
    case streamOptions = "stream_options"
    case topP = "top_p"
    case topK = "top_k"
    case minP = "min_p"
    case frequencyPenalty = "frequency_penalty"
    case presencePenalty = "presence_penalty"
    case repetitionPenalty = "repetition_penalty"
    case ignoreEOS = "ignore_eos"
    case minTokens = "min_tokens"
    case logitBias = "logit_bias"
    case serviceTier = "service_tier"
    case promptCacheKey = "prompt_cache_key"
    case safetyIdentifier = "safety_identifier"
}

/// A field of a face's body: one of its own, or a shared one. Of two with one name its own wins.
enum FaceField<Own: CaseIterable & RawRepresentable & Sendable>: RawRepresentable, CaseIterable,
    Sendable
where Own.RawValue == String {
    case own(Own)
    case shared(SharedField)

    init?(rawValue: String) {
        if let own = Own(rawValue: rawValue) {
            self = .own(own)
        } else if let shared = SharedField(rawValue: rawValue) {
            self = .shared(shared)
        } else {
            return nil
        }
    }

    var rawValue: String {
        switch self {
        case .own(let field): field.rawValue
        case .shared(let field): field.rawValue
        }
    }

    static var allCases: [FaceField] {
        Own.allCases.map(FaceField.own)
            + SharedField.allCases.filter { Own(rawValue: $0.rawValue) == nil }.map(
                FaceField.shared)
    }
}
