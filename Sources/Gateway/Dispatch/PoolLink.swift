import Admission
import InferenceTypes

/// One connection loop's link to a worker of either kind.
enum PoolLink {
    case engine(WorkerLink)
    case upstream(UpstreamLink)

    func connect() {
        switch self {
        case .engine(let link): link.connect()
        case .upstream(let link): link.check()
        }
    }

    func close() {
        switch self {
        case .engine(let link): link.close()
        case .upstream(let link): link.close()
        }
    }
}

/// What waits or runs under a ticket of the dispatcher's. Owned by the connection loop.
protocol TicketHolder: AnyObject {
    var ticket: TicketID { get }
    /// Where it runs, or ran last.
    var worker: WorkerID? { get }
    /// Starts on the worker. False when its link has broken, or never was.
    func granted(_ worker: WorkerID, on link: PoolLink?) -> Bool
    func refused(_ refusal: Refusal, retryAfterMilliseconds: Int)
    /// How its caller's limits stand.
    func stands(_ standing: RateStanding)
    /// The pool for which it waits, if somebody is told how long it will.
    var asksPlace: Pool? { get }
    func waits(at place: TicketPlace)
    func poolRetired()
    /// How many tokens can be paid for. Before `granted`.
    func leased(positions: Int)
    /// No further token can be paid for.
    func unaffordable()
    /// A failed call needed the retry budget, which is used up.
    func retryDenied()
    /// Leaves its worker, which is being drained.
    func move()
}

extension TicketHolder {
    func stands(_ standing: RateStanding) {}
    var asksPlace: Pool? { nil }
    func waits(at place: TicketPlace) {}
}
