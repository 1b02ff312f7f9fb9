package import InferenceTypes

/// Keeps requests from one worker that fails them, although it is connected and says that it is
/// well. Owned by `FleetHealth`.
///
/// ```
///   closed ──failures within the window──► open ──time──► halfOpen ──trial answered──► closed
///                                           ▲                 │
///                                           └── trial failed ─┘
/// ```
///
/// What counts as a failure is said in `FleetHealth.ended`. Apart from that, a worker that says it
/// is full or leaving is held for a short, growing while.
package struct WorkerBreaker: Hashable, Sendable {
    package enum State: UInt8, Hashable, Sendable, CaseIterable {
        case closed
        case halfOpen
        case open
    }

    private var configuration: BreakerConfiguration
    private let backoff: Backoff
    private let seed: UInt64
    package private(set) var state = State.closed
    /// Of the last `windowNanoseconds`, oldest first; at most `failureLimit`.
    private var failures: [Instant] = []
    private var opensUntil = Instant.zero
    /// The request that is let through while half open.
    private var trial: TicketID?
    private var heldUntil: Instant?
    /// In a row.
    private var refusals = 0

    package init(configuration: BreakerConfiguration, backoff: Backoff, seed: UInt64) {
        self.configuration = configuration
        self.backoff = backoff
        self.seed = seed
    }

    /// New limits. Failures that would open the breaker by now have been forgiven.
    package mutating func reconfigure(_ configuration: BreakerConfiguration) {
        self.configuration = configuration
        failures = Array(failures.suffix(configuration.failureLimit - 1))
    }

    /// Whether the worker may get a request now.
    package var admits: Bool {
        heldUntil == nil && (state == .closed || state == .halfOpen && trial == nil)
    }

    /// Whether the worker's fate while half open hangs on this ticket.
    package func isTrial(_ ticket: TicketID) -> Bool { trial == ticket }

    /// When `due` changes something by time alone; nil when nothing does.
    package var nextDue: Instant? {
        let opening = state == .open ? opensUntil : nil
        guard let heldUntil else { return opening }
        return opening.map { min($0, heldUntil) } ?? heldUntil
    }

    /// Time passes.
    package mutating func due(now: Instant) {
        if let held = heldUntil, held <= now { heldUntil = nil }
        if state == .open, opensUntil <= now {
            state = .halfOpen
            trial = nil
        }
    }

    /// The worker got a ticket.
    package mutating func granted(_ ticket: TicketID) {
        if state == .halfOpen, trial == nil { trial = ticket }
    }

    /// The ticket's first token has come, or an answer that blames the request.
    package mutating func succeeded(_ ticket: TicketID) {
        refusals = 0
        // Requests from before it opened say nothing of now.
        guard state == .halfOpen, trial == ticket else { return }
        state = .closed
        trial = nil
        failures.removeAll()
    }

    /// The worker failed; `ticket` is what it failed.
    package mutating func failed(_ ticket: TicketID, now: Instant) {
        switch state {
        case .open: break
        case .halfOpen:
            if trial == ticket { open(now: now) }
        case .closed:
            let start = now.advanced(byNanoseconds: -configuration.windowNanoseconds)
            failures.removeAll { $0 <= start }
            failures.append(now)
            if failures.count >= configuration.failureLimit { open(now: now) }
        }
    }

    /// The worker says that it is full, or takes no requests now: it gets none for a moment.
    package mutating func pressed(_ ticket: TicketID, now: Instant) {
        withoutVerdict(ticket)
        // All that were sent before the hold say the same.
        guard heldUntil == nil else { return }
        refusals += 1
        heldUntil = now.advanced(
            byNanoseconds: backoff.nanoseconds(retry: refusals, seed: seed))
    }

    /// The ticket's end says nothing of the worker; another one may be the trial.
    package mutating func withoutVerdict(_ ticket: TicketID) {
        if trial == ticket { trial = nil }
    }

    private mutating func open(now: Instant) {
        state = .open
        trial = nil
        failures.removeAll()
        opensUntil = now.advanced(byNanoseconds: configuration.openNanoseconds)
    }

    /// Traps when a bound or a state does not hold.
    package func checkInvariants() {
        precondition(failures.count < configuration.failureLimit, "\(failures.count) failures")
        precondition(trial == nil || state == .halfOpen, "a trial while \(state)")
        precondition(state == .closed || failures.isEmpty, "failures while \(state)")
    }
}
