/// How a worker is chosen. A policy only chooses; `Fleet.place` counts and the gateway sends.
package enum RoutingPolicy: String, Hashable, Sendable, CaseIterable {
    case leastLoad = "least-load"

    /// The index in `fleet.workers` of the chosen worker; nil when none has room.
    func select(in fleet: Fleet) -> Int? {
        switch self {
        case .leastLoad: LeastLoad.select(in: fleet)
        }
    }
}
