internal import InferenceTypes
internal import Scheduling

/// What a model's vocabulary means for sampling. Constant.
struct VocabularyFacts: Sendable {
    var size: Int
    /// Ascending.
    var endOfGenerationTokens: [TokenID]
    /// [token]
    var isEndOfGeneration: [Bool]
}

/// Samples for one request. Used by one thread at a time: the engine thread or, during a step's
/// sampling, the sampling thread that took the slot.
final class SlotSampler {
    private let parameters: SamplingParameters
    private var penalties: Penalties?
    private var grammar: Grammar?
    /// Set once the sampler cannot go on; the request's error message.
    private(set) var failure: String?

    init(_ start: SamplerStart, facts: VocabularyFacts, source: GrammarSource) {
        parameters = start.parameters
        penalties = Penalties(
            start.parameters, prompt: start.prompt, generated: start.generated)
        guard let text = start.parameters.grammar, !text.isEmpty else { return }
        do {
            var grammar = try Grammar(text, source: source)
            for token in start.generated {
                if facts.isEndOfGeneration[Int(token)] { break }
                try grammar.accept(token)
            }
            self.grammar = consume grammar
        } catch {
            failure = error.message
        }
    }

    /// Draws the token of `position` and counts it. `row` is used up.
    ///
    /// After a failure the token means nothing.
    func sample(
        _ row: LogitRow, position: Int, facts: VocabularyFacts, scratch: inout SamplerScratch
    ) -> SampledToken {
        guard failure == nil else { return SampledToken(token: 0, isEndOfGeneration: false) }
        var logprobs: Logprobs?
        if let topCount = parameters.topLogprobs {
            logprobs = Logprobs(row, topCount: topCount, scratch: &scratch)
            scratch.keepOriginal(row)
        }
        adjust(row)
        let chosen: TokenID?
        do {
            chosen = try choose(row, position, facts, &scratch)
        } catch {
            chosen = nil
            failure = error.message
        }
        guard let token = chosen else {
            failure = failure ?? "no token is left to choose from"
            return SampledToken(token: 0, isEndOfGeneration: false)
        }
        penalties?.record(token)
        return SampledToken(
            token: token, isEndOfGeneration: facts.isEndOfGeneration[Int(token)],
            logprob: logprobs.map {
                TokenLogprob(
                    token: token, logprob: $0.logprob(ofLogit: scratch.original[Int(token)]),
                    top: $0.top)
            })
    }

    /// What does not depend on the position: penalties, then biases.
    private func adjust(_ row: LogitRow) {
        penalties?.apply(to: row)
        for bias in parameters.logitBias where bias.token >= 0 && Int(bias.token) < row.count {
            row[Int(bias.token)] += bias.bias
        }
    }

    /// Takes tokens out that would end generation too early. Returns what they were.
    private func suppressEnds(
        _ row: LogitRow, _ position: Int, _ facts: VocabularyFacts
    ) -> [TokenBias] {
        var suppressed: [TokenBias] = []
        func suppress(_ token: TokenID) {
            guard token >= 0, Int(token) < row.count, row[Int(token)] > -.infinity else { return }
            suppressed.append(TokenBias(token: token, bias: row[Int(token)]))
            row[Int(token)] = -.infinity
        }
        let isEarly = position < parameters.minTokens
        if isEarly || parameters.ignoreEndOfSequence {
            for token in facts.endOfGenerationTokens { suppress(token) }
        }
        if isEarly {
            for token in parameters.stopTokens { suppress(token) }
        }
        return suppressed
    }

    private func choose(
        _ row: LogitRow, _ position: Int, _ facts: VocabularyFacts,
        _ scratch: inout SamplerScratch
    ) throws(GrammarError) -> TokenID? {
        let suppressed = suppressEnds(row, position, facts)
        let unit = SeededGenerator.unit(seed: parameters.seed, counter: UInt64(position))
        let first = scratch.draw(row, parameters: parameters, unit: unit)
        guard grammar != nil else { return first }
        var token = first
        if let drawn = first, try !grammar!.admits(drawn) {
            token = try chooseAdmitted(row, position, &scratch)
        }
        if token == nil, !suppressed.isEmpty {
            // The grammar outranks minTokens and ignoreEndOfSequence: only an end is left.
            for entry in suppressed { row[Int(entry.token)] = entry.bias }
            token = try chooseAdmitted(row, position, &scratch)
        }
        if let token { try grammar!.accept(token) }
        return token
    }

    /// Chooses among what the grammar admits. A check of the whole vocabulary takes milliseconds,
    /// so greedy sampling tries the most probable tokens first, which gives the same token.
    private func chooseAdmitted(
        _ row: LogitRow, _ position: Int, _ scratch: inout SamplerScratch
    ) throws(GrammarError) -> TokenID? {
        if parameters.isGreedy {
            _ = scratch.scan(row)
            scratch.gatherLargest(64, of: row)
            let best = scratch.candidates.items.map(\.token)
            if let token = try grammar!.firstAdmitted(of: best) { return token }
        }
        try grammar!.mask(row)
        // A number of its own: the first one is known to fall on a token that is not admitted.
        let seed = parameters.seed ^ 0x6772_616D_6D61_7221
        let unit = SeededGenerator.unit(seed: seed, counter: UInt64(position))
        return scratch.draw(row, parameters: parameters, unit: unit)
    }
}
