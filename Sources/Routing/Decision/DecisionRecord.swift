package import InferenceTypes

/// Why a ticket went where it went: every fact that the choice was made of.
package struct DecisionRecord: Hashable, Sendable {
    /// Changes whenever equal facts may lead to another choice.
    package static let currentVersion = 1

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
}
