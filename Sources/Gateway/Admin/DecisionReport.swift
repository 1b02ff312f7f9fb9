import Foundation
import InferenceTypes
import Routing

/// The answer to `GET /admin/v1/decisions/REQUEST`: each placement of each of the request's choices
/// that is still known, oldest first, with the facts that it was made of.
struct DecisionReport: Encodable {
    /// The choice made again from the recorded facts.
    struct Replay: Encodable {
        /// Nil: the facts give no choice.
        var worker: WorkerID?
        var isSame: Bool

        enum CodingKeys: String, CodingKey {
            case worker
            case isSame = "same_choice"
        }
    }

    struct Entry: Encodable {
        var choice: Int
        var attempt: Int
        var cause: Decision.Cause
        /// Unix seconds.
        var time: Double
        var tier: String
        var waitedMilliseconds: Double
        /// Tickets that still waited then.
        var waiting: Int
        /// Nil for a refusal.
        var record: DecisionRecord?
        var replay: Replay?
        /// An error's code; nil for a placement.
        var refusal: String?

        enum CodingKeys: String, CodingKey {
            case choice, attempt, cause, time, tier, waiting, record, replay, refusal
            case waitedMilliseconds = "waited_ms"
        }
    }

    var requestID: String
    /// Choices that wait now.
    var waiting: Int
    var decisions: [Entry]

    enum CodingKeys: String, CodingKey {
        case waiting, decisions
        case requestID = "request_id"
    }

    /// - Parameter now: on the decisions' clock.
    init(_ requestID: String, _ decisions: [Decision], waiting: Int, now: Instant) {
        let unixNow = Date().timeIntervalSince1970
        self.requestID = requestID
        self.waiting = waiting
        self.decisions = decisions.map { decision in
            var entry = Entry(
                choice: decision.choice, attempt: decision.attempt, cause: decision.cause,
                time: unixNow - Double(now.nanoseconds(since: decision.decided)) / 1e9,
                tier: decision.tier.name,
                waitedMilliseconds: Double(
                    decision.decided.nanoseconds(since: decision.queued)) / 1e6,
                waiting: decision.waiting)
            switch decision.outcome {
            case .placed(let record):
                let again = record.replay()
                entry.record = record
                entry.replay = Replay(worker: again, isSame: again == record.worker)
            case .refused(let kind): entry.refusal = kind
            }
            return entry
        }
    }
}
