/// The next worker with room after the last one chosen, in a ring of the table's rows: the order of
/// registration, but that a new worker takes the row of one that left.
enum RoundRobin {
    static func gather(
        in fleet: Fleet, _ request: PlacementRequest, into candidates: inout [Candidate]
    ) {
        guard let row = fleet.turns.next(from: fleet.nextTurn) ?? fleet.turns.next(from: 0) else {
            return
        }
        fleet.append(
            row, .turn, cachedTokens: fleet.cachedTokens(request, row), to: &candidates)
    }
}
