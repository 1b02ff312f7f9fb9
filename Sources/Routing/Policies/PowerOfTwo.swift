/// The less loaded of two workers drawn at random: nearly as even as least-load, and without the
/// herd of several gateways that all see the same worker as the least loaded (Mitzenmacher, "The
/// power of two choices in randomized load balancing", IEEE TPDS 12(10), 2001).
enum PowerOfTwo {
    static func gather(
        in fleet: Fleet, _ request: PlacementRequest, seed: UInt64,
        into candidates: inout [Candidate]
    ) {
        fleet.appendRandom(2, request, seed: seed, to: &candidates)
    }
}
