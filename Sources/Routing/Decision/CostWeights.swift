/// What a choice costs, in seconds: the predicted time to first token, and a share of what the
/// choice does to the streams that run there.
package struct CostWeights: Hashable, Sendable, Codable {
    /// How many decode steps' length counts as much as waiting. More spreads sequences; fewer
    /// keeps prompts where their prefixes are.
    package var decodeSteps: Double

    package init(decodeSteps: Double = 4) {
        precondition(decodeSteps >= 0 && decodeSteps.isFinite, "decodeSteps: \(decodeSteps)")
        self.decodeSteps = decodeSteps
    }

    enum CodingKeys: String, CodingKey {
        case decodeSteps = "decode_steps"
    }

    /// Prefill that is queued there and this prompt's own, the wait for a slot where all are taken,
    /// and the weighted length of a decode step; all divided by the worker's weight.
    package func seconds(_ candidate: Candidate, promptTokens: Int) -> Double {
        let (load, rates) = (candidate.load, candidate.rates)
        let prefill = load.prefillTokens + candidate.uncachedTokens(of: promptTokens)
        let ahead = max(0, load.sequences - candidate.slots + 1)
        let seconds =
            Double(prefill) * rates.prefillSecondsPerToken
            + Double(ahead) * rates.slotSeconds / Double(candidate.slots)
            + decodeSteps * rates.stepSeconds(load)
        return seconds / candidate.weight
    }
}
