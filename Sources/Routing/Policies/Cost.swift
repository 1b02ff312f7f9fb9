/// The lowest predicted cost in seconds (`CostWeights.seconds`) among the holders of the deepest
/// known prefix, the conversation's last worker and a few drawn at random. A prefix that is wanted
/// more than its holders can serve spreads by itself: a random worker gets cheaper, and a holder.
enum Cost {
    static func gather(
        in fleet: Fleet, _ request: PlacementRequest, seed: UInt64,
        into candidates: inout [Candidate]
    ) {
        fleet.appendHolders(request, to: &candidates)
        fleet.appendSession(request, to: &candidates)
        fleet.appendRandom(
            fleet.configuration.randomCandidates, request, seed: seed, to: &candidates)
    }

    static func precedes(_ left: Candidate, _ right: Candidate) -> Bool {
        if left.costSeconds != right.costSeconds { return left.costSeconds < right.costSeconds }
        return left.isLighter(than: right)
    }
}
