import Admission
import InferenceTypes

/// What choices may cost: no worker gets one that cannot be paid, or for longer than it can.
extension Dispatcher {
    /// False: nothing of the request was taken.
    func openBudgets(_ submission: Submission) -> Bool {
        guard !submission.budgets.isEmpty else { return true }
        return commons.budgets.open(
            zip(submission.tickets, submission.budgets).map { (ticket: $0, claim: $1) })
    }

    /// A ticket is about to be placed. False: its next token cannot be paid, and its loop ends it.
    func lease(_ ticket: TicketID, _ entry: DispatchTicket) -> Bool {
        guard let positions = commons.budgets.lease(ticket, positions: entry.positions) else {
            outbox[ticket.loop].append(.unaffordable(ticket))
            return false
        }
        if positions < .max { outbox[ticket.loop].append(.leased(ticket, positions: positions)) }
        return true
    }

    /// `requeue` follows.
    func leaseEnded(_ ticket: TicketID, positions: Int) {
        tickets[ticket]?.positions = positions
    }
}
