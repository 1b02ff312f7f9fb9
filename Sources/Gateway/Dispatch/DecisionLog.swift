import InferenceTypes
import Routing

/// What became of one ticket at one point: where it was sent and why, or why nowhere.
struct Decision: Sendable {
    enum Cause: String, Sendable, Encodable {
        /// The first time.
        case new
        /// Its worker was lost before the first token.
        case retry
        /// Its worker was lost, or drained, after the first token.
        case resume
        /// Its budget's lease ended.
        case lease
    }

    enum Outcome: Sendable {
        case placed(DecisionRecord)
        /// An `APIErrorKind`.
        case refused(String)
    }

    /// Clients may choose it, so that it is not always unique.
    var requestID: String
    /// Which of the request's choices.
    var choice: Int
    /// How often the choice had been placed before.
    var attempt: Int
    var cause: Cause
    var tier: ServiceTier
    /// When it began to wait, this time.
    var queued: Instant
    var decided: Instant
    /// Tickets that still waited then.
    var waiting: Int
    var outcome: Outcome
}

/// The last decisions, by request: a ring, so that memory is bounded however many requests pass.
/// Owned by the dispatcher.
struct DecisionLog: Sendable {
    private struct Entry {
        var decision: Decision
        /// The number of the decision before of the same request; below 0 for none.
        var previous: Int
    }

    /// Decisions that are kept; 0: none. Each has some 200 bytes, and 150 for each of at most nine
    /// candidates.
    let limit: Int
    /// Decision n is in place n % limit.
    private var entries: [Entry] = []
    private(set) var count = 0
    /// The number of each request's last decision. Looked up only, never iterated.
    private var newest: [String: Int] = [:]

    init(limit: Int) {
        precondition(limit >= 0, "limit: \(limit)")
        self.limit = limit
    }

    mutating func add(_ decision: Decision) {
        guard limit > 0 else { return }
        let entry = Entry(decision: decision, previous: newest[decision.requestID] ?? -1)
        if entries.count < limit {
            entries.append(entry)
        } else {
            let place = count % limit
            let gone = entries[place].decision.requestID
            if newest[gone] == count - limit { newest[gone] = nil }
            entries[place] = entry
        }
        newest[decision.requestID] = count
        count += 1
    }

    /// The request's decisions that are still known, oldest first.
    func decisions(of requestID: String) -> [Decision] {
        var found: [Decision] = []
        var number = newest[requestID] ?? -1
        while number >= 0, number >= count - entries.count {
            let entry = entries[number % limit]
            found.append(entry.decision)
            number = entry.previous
        }
        return found.reversed()
    }

    /// Each request that is known has its newest decision in the ring. Traps otherwise.
    func checkInvariants() {
        precondition(entries.count == min(count, limit), "entries lost")
        var names: Set<String> = []
        for (place, entry) in entries.enumerated() {
            names.insert(entry.decision.requestID)
            guard let last = newest[entry.decision.requestID] else {
                preconditionFailure("a decision that cannot be found")
            }
            precondition(last >= count - entries.count && last < count, "a dangling number")
            precondition(
                entries[last % limit].decision.requestID == entry.decision.requestID,
                "place \(place): another request's decision")
        }
        precondition(names.count == newest.count, "a request without decisions")
    }
}
