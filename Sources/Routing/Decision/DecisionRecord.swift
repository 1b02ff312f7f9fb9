package import InferenceTypes

/// Why a ticket went where it went: every fact that the choice was made of.
package struct DecisionRecord: Hashable, Sendable, Codable {
    /// Changes whenever equal facts may lead to another choice.
    package static let currentVersion = 2

    package var version = DecisionRecord.currentVersion
    package var ticket: TicketID
    /// Of the choice, from 1, in this fleet.
    package var number: UInt64
    package var policy: RoutingPolicy
    /// Of this choice's random draws.
    package var seed: UInt64
    package var promptTokens: Int
    package var weights: CostWeights
    /// In the order in which they were found.
    package var candidates: [Candidate]
    package var worker: WorkerID

    init(
        ticket: TicketID, number: UInt64, policy: RoutingPolicy, seed: UInt64, promptTokens: Int,
        weights: CostWeights, candidates: [Candidate], worker: WorkerID
    ) {
        self.ticket = ticket
        self.number = number
        self.policy = policy
        self.seed = seed
        self.promptTokens = promptTokens
        self.weights = weights
        self.candidates = candidates
        self.worker = worker
    }

    /// The choice made again from the recorded facts, costs included: `worker`, unless the record
    /// was altered or this is another version of the policy. Nil without candidates.
    package func replay() -> WorkerID? {
        var again = candidates
        for index in again.indices {
            again[index].costSeconds = policy.costSeconds(
                again[index], promptTokens: promptTokens, weights: weights)
        }
        return policy.select(among: again).map { again[$0].worker }
    }

    enum CodingKeys: String, CodingKey {
        case version, ticket, number, policy, seed, weights, candidates, worker
        case promptTokens = "prompt_tokens"
    }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        version = try values.decode(Int.self, forKey: .version)
        ticket = try values.decode(TicketID.self, forKey: .ticket)
        number = try values.decode(UInt64.self, forKey: .number)
        policy = try values.decode(RoutingPolicy.self, forKey: .policy)
        let text = try values.decode(String.self, forKey: .seed)
        guard let seed = UInt64(text) else {
            throw DecodingError.dataCorruptedError(
                forKey: .seed, in: values, debugDescription: "not a number: \(text)")
        }
        self.seed = seed
        promptTokens = try values.decode(Int.self, forKey: .promptTokens)
        weights = try values.decode(CostWeights.self, forKey: .weights)
        candidates = try values.decode([Candidate].self, forKey: .candidates)
        worker = try values.decode(WorkerID.self, forKey: .worker)
    }

    package func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(version, forKey: .version)
        try values.encode(ticket, forKey: .ticket)
        try values.encode(number, forKey: .number)
        try values.encode(policy, forKey: .policy)
        // As text: most readers of JSON round integers of 64 bits.
        try values.encode(String(seed), forKey: .seed)
        try values.encode(promptTokens, forKey: .promptTokens)
        try values.encode(weights, forKey: .weights)
        try values.encode(candidates, forKey: .candidates)
        try values.encode(worker, forKey: .worker)
    }
}
