package import InferenceTypes

/// Which workers of a pool are kept from requests because of what became of earlier ones, and
/// whether a failed request may be tried again. Pure; owned by the dispatcher beside the `Fleet`,
/// whose `setHeld` it alone calls.
///
/// What opens a worker's breaker: calls that failed (`WorkerFault.failed`), each; and the worker's
/// end, once for all its calls, if it answered none since it became ready. A worker that served
/// and then died is no broken worker: not being ready keeps requests from it, and when it is ready
/// again it gets them at once. One that dies of whatever it is given is a broken one.
package struct FleetHealth: Sendable {
    private struct Entry {
        var breaker: WorkerBreaker
        /// Since it became ready.
        var hasAnswered = false
        var isLossCounted = false
    }

    private var breakerConfiguration: BreakerConfiguration
    private let backoff: Backoff
    /// Looked up only, never iterated.
    private var entries: [WorkerID: Entry] = [:]
    /// Workers whose state time will change, ascending; usually none.
    private var timed: [WorkerID] = []
    package private(set) var budget: RetryBudget
    /// Breakers that are open now.
    package private(set) var openCount = 0
    /// How often a breaker has opened since the start.
    package private(set) var openings: UInt64 = 0
    /// Retries that the budget refused since the start.
    package private(set) var deniedRetries: UInt64 = 0

    package init(
        breaker: BreakerConfiguration = BreakerConfiguration(), retryBudgetPercent: Int = 20,
        backoff: Backoff = Backoff(), now: Instant
    ) {
        breakerConfiguration = breaker
        self.backoff = backoff
        budget = RetryBudget(percent: retryBudgetPercent, now: now)
    }

    /// New settings, for breakers that are there as well; one that is open stays so for as long as
    /// it was to.
    package mutating func reconfigure(breaker: BreakerConfiguration, retryBudgetPercent: Int) {
        breakerConfiguration = breaker
        budget.percent = retryBudgetPercent
        for id in entries.keys { entries[id]?.breaker.reconfigure(breaker) }
    }

    // MARK: Workers

    package mutating func add(_ id: WorkerID) {
        let breaker = WorkerBreaker(
            configuration: breakerConfiguration, backoff: backoff, seed: UInt64(id.number))
        entries[id] = Entry(breaker: breaker)
    }

    package mutating func remove(_ id: WorkerID) {
        guard let entry = entries.removeValue(forKey: id) else { return }
        if entry.breaker.state == .open { openCount -= 1 }
        timed.removeAll { $0 == id }
    }

    /// The worker is connected anew and says that it is well.
    package mutating func becameReady(_ id: WorkerID) {
        entries[id]?.hasAnswered = false
        entries[id]?.isLossCounted = false
    }

    /// `closed` for workers that are not known.
    package func state(of id: WorkerID) -> WorkerBreaker.State {
        entries[id]?.breaker.state ?? .closed
    }

    // MARK: Requests

    package mutating func requested(_ count: Int, now: Instant) {
        budget.requested(count, now: now)
    }

    /// The ticket was placed on the worker.
    package mutating func granted(_ ticket: TicketID, on id: WorkerID, in fleet: inout Fleet) {
        change(id, in: &fleet) { $0.breaker.granted(ticket) }
    }

    /// The placed ticket's first token has come.
    package mutating func answered(_ ticket: TicketID, in fleet: inout Fleet) {
        guard let id = fleet.worker(of: ticket) else { return }
        change(id, in: &fleet) {
            $0.hasAnswered = true
            $0.breaker.succeeded(ticket)
        }
    }

    /// The placed ticket's call has ended; to be called before `Fleet.release`.
    ///
    /// - Parameter fault: nil for an end that says nothing of the worker: an answer that was
    ///   `answered` before, or a client that went away.
    package mutating func ended(
        _ ticket: TicketID, _ fault: WorkerFault?, in fleet: inout Fleet, now: Instant
    ) {
        guard let id = fleet.worker(of: ticket) else { return }
        change(id, in: &fleet) { entry in
            switch fault {
            case .failed:
                entry.breaker.failed(ticket, now: now)
            case .lost:
                let isFirst = !entry.hasAnswered && !entry.isLossCounted
                if isFirst || entry.breaker.isTrial(ticket) {
                    entry.isLossCounted = true
                    entry.breaker.failed(ticket, now: now)
                }
            case .busy, .leaving:
                entry.breaker.pressed(ticket, now: now)
            case .rejected, .contextFull:
                // The worker did what it should.
                entry.hasAnswered = true
                entry.breaker.succeeded(ticket)
            case .abandoned, nil:
                entry.breaker.withoutVerdict(ticket)
            }
        }
    }

    /// Whether a choice may be tried again; counts it when it may.
    package mutating func retry(_ retry: ChoiceFailover.Retry, now: Instant) -> Bool {
        guard retry.needsBudget else {
            budget.charge(now: now)
            return true
        }
        let isAllowed = budget.take(now: now)
        if !isAllowed { deniedRetries += 1 }
        return isAllowed
    }

    // MARK: Time

    /// When `due` has something to do; nil while it has not.
    package var nextDue: Instant? {
        var next: Instant?
        for id in timed {
            guard let due = entries[id]?.breaker.nextDue else { continue }
            next = next.map { min($0, due) } ?? due
        }
        return next
    }

    /// Lets workers in whose time has come.
    package mutating func due(now: Instant, in fleet: inout Fleet) {
        for id in timed { change(id, in: &fleet) { $0.breaker.due(now: now) } }
    }

    /// The only way to change an entry.
    private mutating func change(
        _ id: WorkerID, in fleet: inout Fleet, _ body: (inout Entry) -> Void
    ) {
        guard var entry = entries[id] else { return }
        let wasOpen = entry.breaker.state == .open
        body(&entry)
        entries[id] = entry
        let isOpen = entry.breaker.state == .open
        if isOpen != wasOpen {
            openCount += isOpen ? 1 : -1
            openings += isOpen ? 1 : 0
        }
        let place = timed.firstIndex { $0 >= id } ?? timed.count
        let isTimed = place < timed.count && timed[place] == id
        if entry.breaker.nextDue == nil {
            if isTimed { timed.remove(at: place) }
        } else if !isTimed {
            timed.insert(id, at: place)
        }
        fleet.setHeld(id, !entry.breaker.admits)
    }

    /// Each worker is held as its breaker says, and the kept numbers are true. Traps otherwise.
    package func checkInvariants(_ fleet: Fleet) {
        budget.checkInvariants()
        var open = 0
        for worker in fleet.workers {
            guard let entry = entries[worker.id] else { continue }
            entry.breaker.checkInvariants()
            open += entry.breaker.state == .open ? 1 : 0
            precondition(
                worker.isHeld == !entry.breaker.admits, "worker \(worker.id.number): held")
            precondition(
                timed.contains(worker.id) == (entry.breaker.nextDue != nil),
                "worker \(worker.id.number): time")
        }
        precondition(open == openCount, "\(open) open breakers, counted \(openCount)")
    }
}
