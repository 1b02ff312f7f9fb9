package import InferenceTypes

/// Whose time is over.
extension AdmissionQueue {
    /// Told whenever the number of ready workers becomes zero or stops being zero.
    package mutating func workersReady(_ isReady: Bool, now: Instant) {
        if isReady {
            noWorkerSince = nil
        } else if noWorkerSince == nil {
            noWorkerSince = now
        }
    }

    /// Removes and returns the tickets whose time is over, in order of tier and arrival.
    package mutating func expire(now: Instant) -> [(ticket: TicketID, refusal: Refusal)] {
        var over: [(ticket: TicketID, entry: Entry)] = []
        while let first = expiries.first {
            if let entry = waiting[first.ticket], entry.order == first.order {
                guard first.time <= now else { break }
                over.append((first.ticket, entry))
            }
            expiries.removeFirst()
        }
        let expired = Set(over.map(\.ticket))
        let limit = configuration.noWorkerWaitLimitNanoseconds
        if let since = noWorkerSince, now.nanoseconds(since: since) >= limit {
            for (ticket, entry) in waiting where !expired.contains(ticket) {
                guard now.nanoseconds(since: entry.arrival) >= limit else { continue }
                over.append((ticket, entry))
            }
        }
        let entries = Dictionary(uniqueKeysWithValues: over.map { ($0.ticket, $0.entry) })
        return inOrder(over).map { ticket in
            _ = remove(ticket)
            guard expired.contains(ticket) else { return (ticket, .noWorker) }
            return (
                ticket,
                entries[ticket]?.hasDeadline == true
                    ? .deadlinePassed
                    : .waitedTooLong(nanoseconds: configuration.waitLimitNanoseconds)
            )
        }
    }
}
