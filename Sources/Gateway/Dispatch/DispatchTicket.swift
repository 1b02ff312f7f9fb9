import Admission
import InferenceTypes
import Routing

/// What the dispatcher knows of one choice from its submission to its end, over all its workers.
struct DispatchTicket: Sendable {
    /// Of the worker that it was handed to.
    struct Run: Sendable {
        var worker: WorkerID
        var placed: Instant
        /// To be prefilled there before its first token: what was ahead, without its own.
        var prefillAhead: Int
        /// All slots were taken: its first token says nothing of prefill.
        var waitedForSlot: Bool
        /// When its first token came, and beside which load.
        var first: (time: Instant, load: WorkerLoad)?
    }

    var requestID: String
    var choice: Int
    var tier: ServiceTier
    var arrival: Instant
    var deadline: Instant?
    /// Of the request as it came, also when the choice goes on elsewhere with a longer prompt.
    var request: PlacementRequest
    /// When it began to wait, this time.
    var queued: Instant
    var cause = Decision.Cause.new
    var attempts = 0
    var claim = AdmissionQueue.Claim.builtIn
    /// Engine time in nanoseconds that its tenant was charged.
    var charged: Int64 = 0
    /// Engine time that it was predicted to take.
    var predictedCost: Int64 = 1
    /// Of its wait, the first time; nil when it did not have to.
    var wait: WaitPrediction?
    /// Of `LimitedRequests`; nil without limits.
    var limited: UInt64?
    /// Tokens that the choice had when it asked for a further lease.
    var positions = 0
    /// Nil while it waits.
    var run: Run?
}

/// A choice's first token on a worker. Connection loop → dispatcher, together with others.
struct FirstToken: Sendable {
    var ticket: TicketID
    /// Tokens that the worker had to prefill for it, as the worker itself says; nil where its time
    /// says nothing of that, since the answer came as a whole.
    var uncachedTokens: Int?
}

/// What a connection loop tells of a choice that has ended.
struct RunSummary: Sendable {
    /// Tokens from its last worker; 0 also when their times say nothing, since the client did not
    /// read as fast as they came.
    var timedTokens = 0
    /// From all its workers.
    var generatedTokens = 0
    /// Of its prompt that were resident at its first worker.
    var cachedTokens = 0
}
