internal import InferenceTypes

/// The tokens that penalties of one request depend on, with counts.
///
/// Flat lists beside the index, so that applying them visits only tokens that occurred.
struct Penalties {
    private let frequency: Float
    private let presence: Float
    private let repetition: Float
    private var tokens: [TokenID] = []
    /// How often each of `tokens` occurs in the output; 0 for those only in the prompt.
    private var outputCounts: [Int32] = []
    private var places: [TokenID: Int] = [:]

    /// Nil when the parameters ask for no penalty.
    init?(
        _ parameters: SamplingParameters, prompt: some Collection<TokenID>,
        generated: some Collection<TokenID>
    ) {
        frequency = parameters.frequencyPenalty
        presence = parameters.presencePenalty
        repetition = parameters.repetitionPenalty
        guard frequency != 0 || presence != 0 || repetition != 1 else { return nil }
        if repetition != 1 {
            for token in prompt { _ = place(of: token) }
        }
        for token in generated { record(token) }
    }

    /// Counts a token of output.
    mutating func record(_ token: TokenID) {
        outputCounts[place(of: token)] += 1
    }

    private mutating func place(of token: TokenID) -> Int {
        if let place = places[token] { return place }
        places[token] = tokens.count
        tokens.append(token)
        outputCounts.append(0)
        return tokens.count - 1
    }

    /// Repetition first (as a factor, away from zero probability's side), then frequency and
    /// presence as OpenAI's API reference defines them.
    func apply(to row: LogitRow) {
        for (token, count) in zip(tokens, outputCounts) where Int(token) < row.count && token >= 0 {
            var logit = row[Int(token)]
            if repetition != 1 { logit = logit > 0 ? logit / repetition : logit * repetition }
            if count > 0 { logit -= frequency * Float(count) + presence }
            row[Int(token)] = logit
        }
    }
}
