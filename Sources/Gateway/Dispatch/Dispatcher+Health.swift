import InferenceTypes
import Logging
import NIOCore
import Routing

/// What becomes of calls, and what follows for their workers and for their next try. Decided by
/// `FleetHealth`.
extension Dispatcher {
    /// How soon changes of workers' numbers reach metrics.
    static let workerPublishDelay: TimeAmount = .milliseconds(250)
    /// Workers with metrics of their own, in order of their places in the fleet's table.
    static let workerMetricsLimit = 1_024

    /// The ticket's call ended without a finish: it goes back to the head of the line, now or
    /// later, or is denied another try.
    func retry(_ ticket: TicketID, _ retry: ChoiceFailover.Retry, after fault: WorkerFault) {
        guard tickets[ticket] != nil else { return }
        let now = clock()
        callEnded(ticket, fault, now: now)
        batchRuns.ended(ticket)
        _ = fleet.release(ticket)
        tickets[ticket]?.run = nil
        let cause = retry.isResumed ? Decision.Cause.resume : .retry
        if !health.retry(retry, now: now) {
            if let entry = tickets.removeValue(forKey: ticket) {
                endLimits(of: entry, tokens: 0, now: now)
            }
            outbox[ticket.loop].append(.retryDenied(ticket))
        } else if retry.waitNanoseconds == 0 {
            return requeue(ticket, cause)
        } else {
            delayedRetries += 1
            let bound = NIOLoopBound(self, eventLoop: loop)
            loop.scheduleTask(in: .nanoseconds(retry.waitNanoseconds)) {
                bound.value.delayedRetries -= 1
                bound.value.requeue(ticket, cause)
            }
        }
        place(now: now)
        settle()
    }

    /// To be called before the ticket's load is released. Nothing for a ticket that has no worker.
    func callEnded(_ ticket: TicketID, _ fault: WorkerFault?, now: Instant) {
        guard let id = fleet.worker(of: ticket) else { return }
        let before = health.state(of: id)
        health.ended(ticket, fault, in: &fleet, now: now)
        let after = health.state(of: id)
        guard before != after, after == .open else { return }
        logger.warning(
            "worker fails requests: it gets none for a while",
            metadata: ["worker": "\(id.number)", "breaker": "open"])
    }

    /// Ends every operation: what the breakers say now, and when they will say otherwise.
    func settleHealth() {
        if health.openCount != knownOpenBreakers {
            knownOpenBreakers = health.openCount
            readinessChanged()
        }
        publishWorkersSoon()
        let due = health.nextDue
        guard healthTimer?.due != due else { return }
        healthTimer?.task.cancel()
        healthTimer = nil
        guard let due else { return }
        let bound = NIOLoopBound(self, eventLoop: loop)
        let delay = max(0, due.nanoseconds(since: clock()))
        let task = loop.scheduleTask(in: .nanoseconds(delay)) { bound.value.healthDue() }
        healthTimer = (due, task)
    }

    private func healthDue() {
        healthTimer = nil
        let now = clock()
        health.due(now: now, in: &fleet)
        place(now: now)
        settle()
    }

    private func publishWorkersSoon() {
        guard !isPublishingWorkers else { return }
        isPublishingWorkers = true
        let bound = NIOLoopBound(self, eventLoop: loop)
        loop.scheduleTask(in: Self.workerPublishDelay) { bound.value.publishWorkers() }
    }

    private func publishWorkers() {
        isPublishingWorkers = false
        guard !isRetired else { return }
        status.publish(
            FleetStatus.Workers(
                list: list(fleet.firstWorkers(Self.workerMetricsLimit)),
                breakerOpenings: health.openings, deniedRetries: health.deniedRetries),
            of: pool.number)
    }
}
