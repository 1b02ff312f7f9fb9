package import InferenceTypes

/// What the router knows of the workers: who is ready, and how much each already has. Load is
/// counted in the choice itself and given back by exactly one `release`, so no path can forget it.
/// Owned by the dispatcher.
package struct Fleet: Sendable {
    package struct Worker: Hashable, Sendable {
        package let id: WorkerID
        /// Sequences that run in its batch at once.
        package var slots: Int
        package var isReady: Bool
        /// No new requests; running ones finish.
        package var isDraining: Bool
        /// Tickets handed to it and not yet released.
        package fileprivate(set) var inFlight: Int
        /// When it was last chosen, in choices since the start; breaks ties.
        fileprivate var lastChoice: UInt64
    }

    /// Tickets that may wait inside a worker besides its running slots: the next prompt starts
    /// without a round trip, and the rest wait here, where order and cancellation work.
    package let aheadLimitTickets: Int
    /// Ordered by id; a fleet is small in this list and large in the simulator's own index.
    package private(set) var workers: [Worker] = []
    /// Which worker holds each ticket. Membership only; never iterated.
    private var holders: [TicketID: WorkerID] = [:]
    private var choices: UInt64 = 0

    package init(aheadLimitTickets: Int = 2) {
        precondition(aheadLimitTickets >= 0, "aheadLimitTickets: \(aheadLimitTickets)")
        self.aheadLimitTickets = aheadLimitTickets
    }

    /// Adds a worker that is not yet ready.
    package mutating func add(_ id: WorkerID, slots: Int) {
        precondition(slots >= 1, "slots: \(slots)")
        precondition(workers.last.map { $0.id < id } ?? true, "worker ids must ascend")
        workers.append(
            Worker(
                id: id, slots: slots, isReady: false, isDraining: false, inFlight: 0,
                lastChoice: 0))
    }

    /// Forgets a worker. Its tickets stay known until they are released.
    package mutating func remove(_ id: WorkerID) {
        workers.removeAll { $0.id == id }
    }

    package mutating func setReady(_ id: WorkerID, _ isReady: Bool, slots: Int? = nil) {
        guard let index = index(of: id) else { return }
        workers[index].isReady = isReady
        if let slots { workers[index].slots = slots }
    }

    package mutating func setDraining(_ id: WorkerID, _ isDraining: Bool) {
        guard let index = index(of: id) else { return }
        workers[index].isDraining = isDraining
    }

    package var readyCount: Int { workers.reduce(0) { $0 + ($1.isReady ? 1 : 0) } }
    package var readySlots: Int { workers.reduce(0) { $0 + ($1.isReady ? $1.slots : 0) } }
    package var inFlight: Int { holders.count }

    package func worker(_ id: WorkerID) -> Worker? {
        index(of: id).map { workers[$0] }
    }

    /// Whether any worker would take one more ticket.
    package var hasRoom: Bool { workers.contains { hasRoom($0) } }

    func hasRoom(_ worker: Worker) -> Bool {
        worker.isReady && !worker.isDraining
            && worker.inFlight < worker.slots + aheadLimitTickets
    }

    /// Chooses a worker for the ticket and counts it there; nil when none has room.
    package mutating func place(_ ticket: TicketID, by policy: RoutingPolicy) -> WorkerID? {
        guard let index = policy.select(in: self) else { return nil }
        precondition(hasRoom(workers[index]), "policy chose a worker without room")
        choices += 1
        workers[index].lastChoice = choices
        workers[index].inFlight += 1
        let previous = holders.updateValue(workers[index].id, forKey: ticket)
        precondition(previous == nil, "ticket \(ticket.number) placed twice")
        return workers[index].id
    }

    /// Gives the ticket's load back. False when it was not placed (already released).
    package mutating func release(_ ticket: TicketID) -> Bool {
        guard let id = holders.removeValue(forKey: ticket) else { return false }
        if let index = index(of: id) {
            workers[index].inFlight -= 1
        }
        return true
    }

    private func index(of id: WorkerID) -> Int? {
        workers.firstIndex { $0.id == id }
    }

    func lastChoice(at index: Int) -> UInt64 { workers[index].lastChoice }

    /// Each worker's load is the number of tickets it holds. Traps otherwise.
    package func checkInvariants() {
        for worker in workers {
            let held = holders.values.reduce(0) { $0 + ($1 == worker.id ? 1 : 0) }
            precondition(held == worker.inFlight, "worker \(worker.id.number) miscounted")
        }
    }
}
