import Admission
import InferenceTypes
import Storage

/// Who pays. Names, not numbers: they are written to the ledger.
struct UsageAccount: Hashable, Sendable {
    var tenant: String
    var application = ""
    /// Never the key itself; empty for requests without one.
    var keyID = ""
}

/// A call on a worker that did not say how it ended: that worker may have generated more than was
/// received.
struct UsageAttempt: Hashable, Sendable {
    /// As the worker got it.
    var requestID: String
    /// The worker's, which names its journal.
    var endpoint: String
}

/// The end of one run of a request, as its connection loop knows it.
struct UsageSettlement: Sendable {
    /// Its `positions` are the tokens accepted from workers; `promptTokens` is not looked at.
    var entry: UsageEntry
    /// Of each prompt. One is billed when a token was generated for it.
    var prompts: [Int]
    /// Choices `0..<n` have the first prompt, and so on.
    var choicesPerPrompt: Int
    var unsettled: [UsageAttempt] = []
    /// Whose reserved budget ends.
    var tickets: [TicketID] = []
}

/// What loops tell the meter. In order.
enum UsageMessage: Sendable {
    /// A run of a request begins; precedes everything that a journal has of it.
    case began(usageID: String)
    case ended(UsageSettlement)
}
