package import InferenceTypes

/// The batch tickets that run, in the order in which they began: who gives way when somebody else
/// wants a slot. As many as run at once, a few dozen. Owned by the dispatcher.
package struct BatchRuns: Sendable {
    private var runs: [(ticket: TicketID, worker: WorkerID)] = []

    package init() {}

    package var count: Int { runs.count }

    package mutating func began(_ ticket: TicketID, on worker: WorkerID) {
        precondition(!runs.contains { $0.ticket == ticket }, "ticket \(ticket.number) runs twice")
        runs.append((ticket, worker))
    }

    /// It left its worker, whatever the reason. Nothing for a ticket that is not here.
    package mutating func ended(_ ticket: TicketID) {
        runs.removeAll { $0.ticket == ticket }
    }

    /// Takes the ticket that is to leave its slot: the one that began last, and so loses least.
    ///
    /// - Parameter worker: whose slot is wanted; nil for any.
    package mutating func giveWay(on worker: WorkerID?) -> TicketID? {
        guard let index = runs.lastIndex(where: { worker == nil || $0.worker == worker }) else {
            return nil
        }
        return runs.remove(at: index).ticket
    }
}
