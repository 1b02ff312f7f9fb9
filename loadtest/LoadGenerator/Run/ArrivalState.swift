/// An arrival under way: what it is, and what was said so far. Owned by the run's event loop.
final class ArrivalState {
    let plan: RequestPlanner.Plan
    /// Of the request that runs or comes next, from 0.
    private(set) var turn = 0
    private(set) var messages: [ChatMessage] = []

    init(_ plan: RequestPlanner.Plan) {
        self.plan = plan
    }

    var isLastTurn: Bool { turn + 1 >= plan.turns }

    func say(_ messages: [ChatMessage]) {
        self.messages += messages
    }

    /// The server has answered, and it is the user's turn.
    func answered(_ text: [UInt8]) {
        messages.append(ChatMessage(role: .assistant, text: text))
        turn += 1
    }
}
