import Admission
import HTTPTransport
import InferenceTypes
import Routing

/// A request's choices asking for a place on a worker. Connection loop → dispatcher.
struct Submission: Sendable {
    /// Of the exchange, for `switchyard why`.
    var requestID: String
    /// One ticket per choice, in their order; in or refused together.
    var tickets: [TicketID]
    var tier: ServiceTier
    /// When the caller stops being interested; nil for never.
    var deadline: Instant?
    var arrival: Instant
    /// Of each choice.
    var request = PlacementRequest.unknown
}

/// What a connection loop tells the dispatcher of its own link to a worker.
enum LinkReport: Sendable {
    /// The link is open and the worker has said what it is.
    /// `started`: about when its process did, where it says so.
    case up(slots: Int, started: Instant?)
    case down
}

/// Dispatcher → connection loop; delivered in batches, in order.
enum DispatchEvent: Sendable {
    case granted(TicketID, WorkerID)
    case refused(TicketID, Refusal, retryAfterSeconds: Int)
    /// The ticket's pool has ended: another one may serve what it asks for.
    case retired(TicketID)
    /// The retry budget is used up: the choice ends with its last worker's error.
    case retryDenied(TicketID)
    case workerAdded(WorkerID, HTTPEndpoint)
    /// Batch work: somebody else wants its slot. It goes on when one is idle.
    case preempted(TicketID)
    /// Its drain time is over: what still runs there goes on elsewhere.
    case workerEvicted(WorkerID)
    case workerRemoved(WorkerID)
}

/// Tickets carry the number of the connection loop that they belong to, so the dispatcher needs
/// nothing else to find their owner, and each loop can number its own without asking.
extension TicketID {
    private static var loopShift: UInt64 { 48 }

    init(loop: Int, sequence: UInt64) {
        self.init(number: UInt64(loop) << Self.loopShift | sequence)
    }

    var loop: Int { Int(number >> Self.loopShift) }
}
