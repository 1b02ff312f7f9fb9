/// The worker with the lowest share of its slots in use; among equals the one not chosen longest.
enum LeastLoad {
    static func select(in fleet: Fleet) -> Int? {
        var best: Int?
        for index in fleet.workers.indices where fleet.hasRoom(fleet.workers[index]) {
            guard let current = best else {
                best = index
                continue
            }
            let (left, right) = (fleet.workers[index], fleet.workers[current])
            // a/b < c/d without division: both slot counts are positive.
            let (l, r) = (left.inFlight * right.slots, right.inFlight * left.slots)
            if l < r || (l == r && fleet.lastChoice(at: index) < fleet.lastChoice(at: current)) {
                best = index
            }
        }
        return best
    }
}
