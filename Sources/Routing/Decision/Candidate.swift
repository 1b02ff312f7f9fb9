package import InferenceTypes

/// One worker considered in a choice, with all facts that the choice is made of.
package struct Candidate: Hashable, Sendable, Codable {
    /// Why it was considered.
    package enum Origin: String, Hashable, Sendable, CaseIterable, Codable {
        /// It holds the deepest known prefix of the prompt.
        case holder
        /// The conversation's last request went there.
        case session
        /// It was drawn by chance (or all were, being few).
        case random
        /// It is its turn.
        case turn
        /// It has the lowest load.
        case lightest
    }

    package var worker: WorkerID
    package var origin: Origin
    package var slots: Int
    /// As `Fleet.Worker.weight`.
    package var weight: Double
    /// All its work, other gateways' included.
    package var load: WorkerLoad
    package var rates: WorkerRates
    /// Tokens of the prompt whose KV it probably has.
    package var cachedTokens: Int
    /// When it was last chosen, in choices since the start; breaks ties.
    package var lastChoice: UInt64
    /// Predicted, by `CostWeights.seconds`; 0 where the policy does not ask.
    package var costSeconds: Double

    init(_ worker: Fleet.Worker, _ origin: Origin, cachedTokens: Int) {
        self.worker = worker.id
        self.origin = origin
        slots = worker.slots
        weight = worker.weight
        load = worker.totalLoad
        rates = worker.rates
        self.cachedTokens = cachedTokens
        lastChoice = worker.lastChoice
        costSeconds = 0
    }

    /// What it would have to prefill. The last token is always computed: its logits are needed.
    func uncachedTokens(of promptTokens: Int) -> Int {
        promptTokens == 0 ? 0 : max(1, promptTokens - cachedTokens)
    }

    /// As `Fleet.Worker.isLighter`.
    func isLighter(than other: Candidate) -> Bool {
        let left = Fleet.Worker.fullness(load, slots: slots, weight: weight)
        let right = Fleet.Worker.fullness(other.load, slots: other.slots, weight: other.weight)
        if left != right { return left < right }
        if lastChoice != other.lastChoice { return lastChoice < other.lastChoice }
        return worker < other.worker
    }

    enum CodingKeys: String, CodingKey {
        case worker, origin, slots, weight, load, rates
        case cachedTokens = "cached_tokens"
        case lastChoice = "last_choice"
        case costSeconds = "cost_seconds"
    }
}
