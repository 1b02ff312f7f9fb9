/// How a worker is chosen. A policy only chooses; `Fleet.place` counts and the gateway sends.
/// Each finds its candidates, few of many and all with room, and orders them; the first is chosen.
package enum RoutingPolicy: String, Hashable, Sendable, CaseIterable, Codable {
    case roundRobin = "round-robin"
    case leastLoad = "least-load"
    case powerOfTwo = "power-of-two"
    case prefixAffinity = "prefix-affinity"
    case cost

    /// Appends the candidates. At least one when the fleet has room.
    func gather(
        in fleet: Fleet, _ request: PlacementRequest, seed: UInt64,
        into candidates: inout [Candidate]
    ) {
        switch self {
        case .roundRobin: RoundRobin.gather(in: fleet, request, into: &candidates)
        case .leastLoad: LeastLoad.gather(in: fleet, request, into: &candidates)
        case .powerOfTwo: PowerOfTwo.gather(in: fleet, request, seed: seed, into: &candidates)
        case .prefixAffinity:
            PrefixAffinity.gather(in: fleet, request, seed: seed, into: &candidates)
        case .cost: Cost.gather(in: fleet, request, seed: seed, into: &candidates)
        }
        for index in candidates.indices {
            candidates[index].costSeconds = costSeconds(
                candidates[index], promptTokens: request.promptTokens,
                weights: fleet.configuration.weights)
        }
    }

    /// The index of the best candidate: a pure function of the candidates, in any order of them.
    func select(among candidates: [Candidate]) -> Int? {
        var best: Int?
        for index in candidates.indices {
            if let current = best, !precedes(candidates[index], candidates[current]) { continue }
            best = index
        }
        return best
    }

    /// A total order of candidates: ties end with the worker's number.
    private func precedes(_ left: Candidate, _ right: Candidate) -> Bool {
        switch self {
        case .roundRobin, .leastLoad, .powerOfTwo: left.isLighter(than: right)
        case .prefixAffinity: PrefixAffinity.precedes(left, right)
        case .cost: Cost.precedes(left, right)
        }
    }

    func costSeconds(
        _ candidate: Candidate, promptTokens: Int, weights: CostWeights
    ) -> Double {
        self == .cost ? weights.seconds(candidate, promptTokens: promptTokens) : 0
    }
}
