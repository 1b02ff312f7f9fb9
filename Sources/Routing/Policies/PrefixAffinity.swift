/// The worker that holds most of the prompt, whatever its load, while it has room: the conversation
/// goes where it was. Without such a worker, the least loaded of a few drawn at random.
///
/// For comparison: one system prompt shared by all brings everything to its first few holders.
enum PrefixAffinity {
    static func gather(
        in fleet: Fleet, _ request: PlacementRequest, seed: UInt64,
        into candidates: inout [Candidate]
    ) {
        fleet.appendHolders(request, to: &candidates)
        fleet.appendSession(request, to: &candidates)
        guard candidates.isEmpty else { return }
        fleet.appendRandom(
            fleet.configuration.randomCandidates, request, seed: seed, to: &candidates)
    }

    static func precedes(_ left: Candidate, _ right: Candidate) -> Bool {
        if left.cachedTokens != right.cachedTokens {
            return left.cachedTokens > right.cachedTokens
        }
        if (left.origin == .session) != (right.origin == .session) {
            return left.origin == .session
        }
        return left.isLighter(than: right)
    }
}
