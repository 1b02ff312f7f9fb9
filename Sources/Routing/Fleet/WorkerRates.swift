/// How fast a worker is, for predictions: measured by it, or assumed. The defaults are those of a
/// small model on one core; in a pool of equals only their proportions matter.
package struct WorkerRates: Hashable, Sendable, Codable {
    /// Seconds that one prompt token without cached KV takes.
    package var prefillSecondsPerToken: Double
    /// Seconds that a decode step takes besides.
    package var decodeSecondsPerStep: Double
    /// Seconds by which one more running sequence makes each decode step longer.
    package var decodeSecondsPerSequence: Double
    /// Seconds by which one more token of context in the batch makes each decode step longer.
    package var decodeSecondsPerContextToken: Double
    /// Seconds for which a sequence holds its slot.
    package var slotSeconds: Double

    package init(
        prefillSecondsPerToken: Double = 0.001, decodeSecondsPerStep: Double = 0.004,
        decodeSecondsPerSequence: Double = 0.001,
        decodeSecondsPerContextToken: Double = 0.000_001, slotSeconds: Double = 2
    ) {
        let all = [
            prefillSecondsPerToken, decodeSecondsPerStep, decodeSecondsPerSequence,
            decodeSecondsPerContextToken, slotSeconds,
        ]
        precondition(all.allSatisfy { $0 >= 0 && $0.isFinite }, "rates: \(all)")
        self.prefillSecondsPerToken = prefillSecondsPerToken
        self.decodeSecondsPerStep = decodeSecondsPerStep
        self.decodeSecondsPerSequence = decodeSecondsPerSequence
        self.decodeSecondsPerContextToken = decodeSecondsPerContextToken
        self.slotSeconds = slotSeconds
    }

    /// Predicted length of a decode step of so much work.
    package func stepSeconds(_ load: WorkerLoad) -> Double {
        decodeSecondsPerStep + Double(load.sequences) * decodeSecondsPerSequence
            + Double(load.contextTokens) * decodeSecondsPerContextToken
    }

    enum CodingKeys: String, CodingKey {
        case prefillSecondsPerToken = "prefill_seconds_per_token"
        case decodeSecondsPerStep = "decode_seconds_per_step"
        case decodeSecondsPerSequence = "decode_seconds_per_sequence"
        case decodeSecondsPerContextToken = "decode_seconds_per_context_token"
        case slotSeconds = "slot_seconds"
    }
}
