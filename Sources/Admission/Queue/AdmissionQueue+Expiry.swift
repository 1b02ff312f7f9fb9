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
        var over: [Entry] = []
        while let first = expiries.first {
            if isHere(first) {
                guard first.time <= now else { break }
                over.append(entries[Int(first.slot)])
            }
            expiries.removeFirst()
        }
        let limit = configuration.noWorkerWaitLimitNanoseconds
        if let since = noWorkerSince, now.nanoseconds(since: since) >= limit {
            over += entries.filter {
                $0.order != 0 && $0.expiry > now
                    && now.nanoseconds(since: $0.arrival) >= limit
            }
        }
        return Self.inOrder(over).map { entry in
            _ = remove(entry.ticket)
            guard entry.expiry <= now else { return (entry.ticket, .noWorker) }
            return (
                entry.ticket,
                entry.hasDeadline
                    ? .deadlinePassed
                    : .waitedTooLong(nanoseconds: configuration.waitLimitNanoseconds)
            )
        }
    }
}
