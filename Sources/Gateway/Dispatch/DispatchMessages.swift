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
    /// Of each choice, in their order; one for all when there is only one.
    var requests = [PlacementRequest.unknown]
    /// Of all its prompts, for the limits.
    var promptTokens = 0
    var terms = SubmissionTerms.builtIn
    /// The same when the client sends the same again; nil: nobody knows.
    var fingerprint: UInt64?
    /// What each choice may cost, `[ticket]`; empty: whatever it likes.
    var budgets: [BudgetClaim] = []

    func request(_ choice: Int) -> PlacementRequest {
        requests[min(choice, requests.count - 1)]
    }
}

/// Whose request it is, and what limits it has.
struct SubmissionTerms: Sendable {
    var claim: AdmissionQueue.Claim
    var limits: [(scope: LimitScope, limits: RateLimits)] = []

    static let builtIn = SubmissionTerms(claim: .builtIn)

    init(claim: AdmissionQueue.Claim) {
        self.claim = claim
    }

    /// - Parameter model: The pool's.
    init(_ principal: Principal, model: String) {
        claim = AdmissionQueue.Claim(tenant: principal.tenant, share: principal.share)
        if principal.keyLimits != .none {
            limits.append((.key(principal.key), principal.keyLimits))
        }
        if principal.tenantLimits != .none {
            limits.append((.tenant(principal.tenant), principal.tenantLimits))
        }
        if let use = principal.modelLimits[model], use != .none {
            limits.append((.model(principal.tenant, model), use))
        }
    }
}

/// Where a waiting ticket stands.
struct TicketPlace: Sendable {
    var ticket: TicketID
    /// 1 is next.
    var position: Int
    /// Until it is handed out; nil before there is a basis for a prediction.
    var etaMilliseconds: Int?
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
    /// Precedes `granted`: how many tokens of the choice can be paid for.
    case leased(TicketID, positions: Int)
    /// No further token can be paid for.
    case unaffordable(TicketID)
    case refused(TicketID, Refusal, retryAfterMilliseconds: Int)
    /// How its caller's limits stand; after it was let in, or before it is refused by one.
    case stands(TicketID, RateStanding)
    /// What a loop asked for: of those that wait.
    case places([TicketPlace])
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
