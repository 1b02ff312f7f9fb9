/// The worker with the lowest share of its slots in use; among equals the one not chosen longest.
enum LeastLoad {
    static func gather(
        in fleet: Fleet, _ request: PlacementRequest, into candidates: inout [Candidate]
    ) {
        guard let row = fleet.room.first else { return }
        fleet.append(
            row, .lightest, cachedTokens: fleet.cachedTokens(request, row), to: &candidates)
    }
}
