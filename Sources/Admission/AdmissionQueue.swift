internal import Collections
package import InferenceTypes

/// Requests that wait for room on a worker: bounded, first come first served within a tier, better
/// tiers first, with ageing so that nobody starves. Batch work does not age: it gets what nobody
/// else wants, however long it waits. Owned by the dispatcher.
///
/// ```
///   submit ──► waiting ──next──► handed out
///                │  ▲                │
///       cancel / expire        requeue (the worker failed before the first token)
///                ▼
///              gone
/// ```
///
/// Every operation is O(1) amortised; cancelled tickets leave their place in the line and are
/// skipped when they reach the front.
package struct AdmissionQueue: Sendable {
    private struct Entry {
        var ticket: TicketID
        var arrival: Instant
        /// The earlier of the caller's own deadline and the wait limit.
        var expiry: Instant
        var hasDeadline: Bool
    }

    package enum SubmitOutcome: Hashable, Sendable {
        case queued
        case refused(Refusal)
    }

    /// New limits hold for whoever comes from then on.
    package var configuration: AdmissionConfiguration
    private var lines: [Deque<Entry>]
    /// Membership only; never iterated.
    private var waiting: [TicketID: ServiceTier] = [:]
    private var isDraining = false
    /// Since when no worker has been ready; nil while one is.
    private var noWorkerSince: Instant?

    package init(configuration: AdmissionConfiguration, now: Instant) {
        self.configuration = configuration
        self.lines = ServiceTier.allCases.map { _ in Deque() }
        self.noWorkerSince = now
    }

    /// Tickets waiting now.
    package var count: Int { waiting.count }

    package func count(of tier: ServiceTier) -> Int {
        // A count over values does not depend on the order of iteration.
        waiting.values.reduce(0) { $0 + ($1 == tier ? 1 : 0) }
    }

    package var isEmpty: Bool { waiting.isEmpty }

    /// Puts the tickets of one request into the line, all or none.
    ///
    /// - Parameter deadline: when the caller stops being interested; nil for never.
    package mutating func submit(
        _ tickets: [TicketID], tier: ServiceTier, deadline: Instant?, now: Instant
    ) -> SubmitOutcome {
        if isDraining { return .refused(.draining) }
        if let deadline, deadline <= now { return .refused(.deadlinePassed) }
        guard waiting.count + tickets.count <= configuration.queueLimitTickets else {
            return .refused(.queueFull(limit: configuration.queueLimitTickets))
        }
        let limit = now.advanced(byNanoseconds: configuration.waitLimitNanoseconds)
        for ticket in tickets {
            let previous = waiting.updateValue(tier, forKey: ticket)
            precondition(previous == nil, "ticket \(ticket.number) submitted twice")
            lines[Int(tier.rawValue)].append(
                Entry(
                    ticket: ticket, arrival: now, expiry: min(limit, deadline ?? limit),
                    hasDeadline: deadline.map { $0 <= limit } ?? false))
        }
        return .queued
    }

    /// Puts a ticket that was handed out back at the head of its tier, keeping its seniority: its
    /// worker was lost before the first token. Not subject to the queue's limit, since it was in.
    package mutating func requeue(
        _ ticket: TicketID, tier: ServiceTier, arrival: Instant, deadline: Instant?, now: Instant
    ) {
        let previous = waiting.updateValue(tier, forKey: ticket)
        precondition(previous == nil, "ticket \(ticket.number) is already waiting")
        let limit = now.advanced(byNanoseconds: configuration.waitLimitNanoseconds)
        lines[Int(tier.rawValue)].prepend(
            Entry(
                ticket: ticket, arrival: arrival, expiry: min(limit, deadline ?? limit),
                hasDeadline: deadline.map { $0 <= limit } ?? false))
    }

    /// Takes the ticket that is to run next; nil when nobody waits.
    ///
    /// - Parameter includingBatch: whether there is a slot that nobody else wants.
    package mutating func next(now: Instant, includingBatch: Bool = true) -> TicketID? {
        var best: (rank: Int64, arrival: Instant, ticket: TicketID, line: Int)?
        for index in lines.indices {
            let isBatch = index == Int(ServiceTier.batch.rawValue)
            guard includingBatch || !isBatch else { continue }
            dropGone(line: index)
            guard let head = lines[index].first else { continue }
            let waited = isBatch ? 0 : now.nanoseconds(since: head.arrival)
            let rank = Int64(index) - waited / configuration.promotionNanoseconds
            let candidate = (max(rank, 0), head.arrival, head.ticket, index)
            if let current = best,
                (current.rank, current.arrival, current.ticket)
                    <= (candidate.0, candidate.1, candidate.2)
            {
                continue
            }
            best = candidate
        }
        guard let best else { return nil }
        lines[best.line].removeFirst()
        waiting[best.ticket] = nil
        return best.ticket
    }

    /// Forgets a waiting ticket (its client has gone). False when it was not waiting.
    package mutating func cancel(_ ticket: TicketID) -> Bool {
        waiting.removeValue(forKey: ticket) != nil
    }

    /// Forgets all waiting tickets; in order of tier and place in line.
    package mutating func removeAll() -> [TicketID] {
        var removed: [TicketID] = []
        for index in lines.indices {
            for entry in lines[index] where waiting.removeValue(forKey: entry.ticket) != nil {
                removed.append(entry.ticket)
            }
            lines[index] = []
        }
        return removed
    }

    /// Told whenever the number of ready workers becomes zero or stops being zero.
    package mutating func workersReady(_ isReady: Bool, now: Instant) {
        if isReady {
            noWorkerSince = nil
        } else if noWorkerSince == nil {
            noWorkerSince = now
        }
    }

    /// From now on new requests are refused; those that wait stay.
    package mutating func drain() {
        isDraining = true
    }

    /// Removes and returns the tickets whose time is over, in order of tier and place in line.
    package mutating func expire(now: Instant) -> [(ticket: TicketID, refusal: Refusal)] {
        var refused: [(ticket: TicketID, refusal: Refusal)] = []
        for index in lines.indices {
            var kept = Deque<Entry>()
            // Deadlines are not monotonic in a line, so all of it is read; it is bounded, and the
            // dispatcher calls this a few times a second.
            for entry in lines[index] where waiting[entry.ticket] != nil {
                guard let refusal = refusal(of: entry, now: now) else {
                    kept.append(entry)
                    continue
                }
                waiting[entry.ticket] = nil
                refused.append((entry.ticket, refusal))
            }
            lines[index] = kept
        }
        return refused
    }

    private func noWorkerExpiry(of entry: Entry) -> Instant? {
        noWorkerSince.map {
            max($0, entry.arrival).advanced(
                byNanoseconds: configuration.noWorkerWaitLimitNanoseconds)
        }
    }

    private func refusal(of entry: Entry, now: Instant) -> Refusal? {
        if entry.expiry <= now {
            return entry.hasDeadline
                ? .deadlinePassed
                : .waitedTooLong(nanoseconds: configuration.waitLimitNanoseconds)
        }
        if let expiry = noWorkerExpiry(of: entry), expiry <= now { return .noWorker }
        return nil
    }

    private mutating func dropGone(line index: Int) {
        while let head = lines[index].first, waiting[head.ticket] == nil {
            lines[index].removeFirst()
        }
    }

    /// Each waiting ticket stands in exactly one line, its own tier's. Traps otherwise.
    package func checkInvariants() {
        var seen: Set<TicketID> = []
        for (index, line) in lines.enumerated() {
            for entry in line {
                guard let tier = waiting[entry.ticket] else { continue }
                precondition(Int(tier.rawValue) == index, "ticket in the wrong line")
                precondition(seen.insert(entry.ticket).inserted, "ticket twice in line")
            }
        }
        precondition(seen.count == waiting.count, "waiting ticket in no line")
    }
}
