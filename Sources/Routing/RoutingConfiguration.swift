/// Limits and weights of the router.
package struct RoutingConfiguration: Hashable, Sendable {
    /// Tickets that may wait inside a worker besides its running slots: the next prompt starts
    /// without a round trip, and the rest wait at the gateway, where order and cancellation work.
    package var aheadLimitTickets: Int
    /// Workers drawn at random for each choice of `cost` (and of `prefix-affinity` when no holder
    /// has room). In a pool that has no more of them, all are candidates.
    package var randomCandidates: Int
    package var weights: CostWeights
    package var prefix: PrefixConfiguration
    /// Conversations whose last worker is remembered, 20 bytes each, allocated at the start; what
    /// was not heard of for longest gives way.
    package var sessionCapacityEntries: Int
    /// Of the random draws: the same seed and the same calls give the same choices.
    package var seed: UInt64

    package init(
        aheadLimitTickets: Int = 2, randomCandidates: Int = 4, weights: CostWeights = CostWeights(),
        prefix: PrefixConfiguration = PrefixConfiguration(), sessionCapacityEntries: Int = 16_384,
        seed: UInt64 = 0
    ) {
        precondition(aheadLimitTickets >= 0, "aheadLimitTickets: \(aheadLimitTickets)")
        precondition(
            (1...64).contains(randomCandidates), "randomCandidates: \(randomCandidates)")
        precondition(
            sessionCapacityEntries >= 1, "sessionCapacityEntries: \(sessionCapacityEntries)")
        self.aheadLimitTickets = aheadLimitTickets
        self.randomCandidates = randomCandidates
        self.weights = weights
        self.prefix = prefix
        self.sessionCapacityEntries = sessionCapacityEntries
        self.seed = seed
    }
}
