import Admission
import HTTPTransport
import InferenceAPI
import InferenceTypes
import Logging
import NIOCore
import Routing

/// Decides centrally for one pool, once per request, who runs and where: the only owner of the
/// waiting queue and of the view of the fleet. Everything here runs on the dispatchers' event loop;
/// connection loops talk to it through `DispatcherHandle`.
final class Dispatcher {
    /// How often waiting tickets are checked for expiry.
    static let expiryInterval: TimeAmount = .milliseconds(250)

    struct WorkerEntry {
        var endpoint: HTTPEndpoint
        /// Which connection loops have an open link to it, by loop number.
        var linked: [Bool]
        var wasEverReady = false
        /// When its process started, as far as it says.
        var started: Instant?
        /// When its links were lost last.
        var lost: Instant?
        var otherLoad = OtherLoadEstimate()
        var drain: Drain?
        var isReady: Bool { linked.allSatisfy { $0 } }

        /// A link that was cut loses no cache; a process that was started anew has an empty one.
        /// Two reports of one process's age differ by their ways here; and what started after the
        /// links were lost is another one, however short the first one's life was.
        func isSameProcess(startedAt now: Instant?) -> Bool {
            guard let started, let now else { return false }
            return abs(now.nanoseconds(since: started)) < 1_000_000_000
                && lost.map { now <= $0 } ?? true
        }
    }

    /// A worker that gets no new requests.
    struct Drain {
        var deadline: Scheduled<Void>
        /// Called once, when nothing runs there any more or it is gone.
        var whenDone: (@Sendable () -> Void)?
    }

    let loop: any EventLoop
    let loops: [ConnectionLoopHandle]
    let clock: @Sendable () -> Instant
    let pool: Pool
    let commons: DispatcherCommons
    private var policy: RoutingPolicy
    let status: FleetStatus
    let logger: Logger

    var queue: AdmissionQueue
    var fleet: Fleet
    var health: FleetHealth
    var predictor = WaitPredictor()
    var overload: OverloadController
    var limitedRequests = LimitedRequests()
    var promises = ReturnPromises()
    var tickets: [TicketID: DispatchTicket] = [:]
    var decisions: DecisionLog
    var rates = RateBook()
    /// Whose rates are looked at next although nothing was heard of them.
    var rateTurn = 0
    var workerOrder: [WorkerID] = []
    var batchRuns = BatchRuns()
    /// Of the tickets in `queue`.
    var queued = QueuedWork()
    var workers: [WorkerID: WorkerEntry] = [:]
    /// Of `Dispatcher+Health.swift`.
    var healthTimer: (due: Instant, task: Scheduled<Void>)?
    var knownOpenBreakers = 0
    /// Tickets that wait for their next try outside the queue.
    var delayedRetries = 0
    var isPublishingWorkers = false
    /// Workers with a `drain`.
    var draining: Set<WorkerID> = []
    /// Ready workers that are not being drained.
    private(set) var takingWorkers = 0
    var outbox: [[DispatchEvent]]
    private var expiryTimer: RepeatedTask?
    /// Called once, when the first worker takes requests.
    private var whenReady: (@Sendable () -> Void)?
    private var retirement: Retirement?

    /// The pool ends.
    private enum Retirement {
        /// What it has may go on until the deadline.
        case idling(deadline: Scheduled<Void>, whenDone: @Sendable () -> Void)
        /// Every ticket is sent back at once.
        case over
    }

    /// Nothing of it is published any more.
    var isRetired: Bool {
        if case .over = retirement { true } else { false }
    }

    init(
        pool: Pool, loop: any EventLoop, loops: [ConnectionLoopHandle], commons: DispatcherCommons,
        admission: AdmissionConfiguration, aheadLimitTickets: Int, policy: RoutingPolicy,
        decisionLimit: Int, health: FleetHealth = FleetHealth(now: .zero), status: FleetStatus,
        clock: @escaping @Sendable () -> Instant, logger: Logger
    ) {
        self.pool = pool
        self.commons = commons
        self.loop = loop
        self.loops = loops
        self.clock = clock
        self.policy = policy
        self.health = health
        self.status = status
        self.logger = logger
        self.queue = AdmissionQueue(configuration: admission, now: clock())
        self.overload = OverloadController(configuration: admission.overload)
        commons.limits.burstShare = admission.limitBurstShare
        self.fleet = Fleet(
            configuration: RoutingConfiguration(
                aheadLimitTickets: aheadLimitTickets, seed: UInt64.random(in: 0...UInt64.max)))
        self.decisions = DecisionLog(limit: decisionLimit)
        self.outbox = loops.map { _ in [] }
    }

    // MARK: Requests

    func submit(_ submission: Submission) {
        if case .over = retirement {
            for ticket in submission.tickets { outbox[ticket.loop].append(.retired(ticket)) }
            return settle()
        }
        guard openBudgets(submission) else {
            for ticket in submission.tickets { outbox[ticket.loop].append(.unaffordable(ticket)) }
            return settle()
        }
        let now = clock()
        for (choice, ticket) in submission.tickets.enumerated() {
            let request = submission.request(choice)
            tickets[ticket] = DispatchTicket(
                requestID: submission.requestID, choice: choice, tier: submission.tier,
                arrival: now, deadline: submission.deadline, request: request, queued: now,
                claim: submission.terms.claim, predictedCost: cost(of: request))
        }
        if let refusal = admit(submission, now: now) {
            refuse(submission.tickets, refusal, of: submission.fingerprint, now: now)
        } else {
            health.requested(submission.tickets.count, now: now)
            for choice in submission.tickets.indices { queued.add(submission.request(choice)) }
            place(now: now)
            for ticket in submission.tickets { makeWay(for: ticket) }
        }
        settle()
    }

    /// First tokens came: their prompts are in nobody's way any more, and say how fast their
    /// workers are.
    func firstTokens(_ notes: [FirstToken]) {
        let now = clock()
        for note in notes {
            guard let run = tickets[note.ticket]?.run, run.first == nil else { continue }
            health.answered(note.ticket, in: &fleet)
            fleet.prefillEnded(note.ticket)
            guard let worker = fleet.worker(run.worker) else { continue }
            tickets[note.ticket]?.run?.first = (now, worker.totalLoad)
            guard !run.waitedForSlot, let uncachedTokens = note.uncachedTokens else { continue }
            rates.prefilled(
                run.worker, seconds: Self.seconds(from: run.placed, to: now),
                tokens: run.prefillAhead + max(1, uncachedTokens), now: now)
            ratesChanged(run.worker, now: now)
        }
        // An answer closes a breaker perhaps, and then there is room.
        if fleet.hasRoom, !queue.isEmpty { place(now: now) }
        settle()
    }

    /// The ticket's work is over, or its client has gone: whatever it held is free.
    ///
    /// - Parameter fault: how its worker's call ended; nil when that says nothing of the worker.
    func finish(_ ticket: TicketID, _ summary: RunSummary, after fault: WorkerFault? = nil) {
        guard let entry = tickets.removeValue(forKey: ticket) else { return }
        let now = clock()
        callEnded(ticket, fault, now: now)
        batchRuns.ended(ticket)
        charge(entry, for: summary, now: now)
        endLimits(of: entry, tokens: summary.generatedTokens, now: now)
        if queue.cancel(ticket) {
            queued.remove(entry.request)
            gaveUp(entry, now: now)
        } else {
            if let run = entry.run { learn(from: run, summary, now: now) }
            if fleet.release(ticket) { place(now: now) }
        }
        settle()
    }

    /// The ticket's client does not read, or reads again: meanwhile its worker has room for others.
    func setParked(_ ticket: TicketID, _ isParked: Bool) {
        fleet.setParked(ticket, isParked)
        if fleet.hasRoom, !queue.isEmpty { place(now: clock()) }
        settle()
    }

    /// The ticket leaves its worker, if it has one: it goes back to the head of the line.
    func requeue(_ ticket: TicketID, _ cause: Decision.Cause) {
        guard let entry = tickets[ticket] else { return }
        let now = clock()
        callEnded(ticket, nil, now: now)
        batchRuns.ended(ticket)
        _ = fleet.release(ticket)
        if case .over = retirement {
            retire(ticket)
            return settle()
        }
        tickets[ticket]?.queued = now
        tickets[ticket]?.cause = cause
        tickets[ticket]?.run = nil
        queued.add(entry.request)
        queue.requeue(
            ticket, of: entry.claim.tenant, tier: entry.tier, arrival: entry.arrival,
            deadline: entry.deadline, now: now)
        place(now: now)
        makeWay(for: ticket)
        settle()
    }

    func drain() {
        queue.drain()
    }

    func readinessChanged() {
        takingWorkers = fleet.workers.count {
            $0.isReady && !$0.isDraining && health.state(of: $0.id) != .open
        }
        queue.workersReady(takingWorkers > 0, now: clock())
        guard takingWorkers > 0, let whenReady else { return }
        self.whenReady = nil
        whenReady()
    }

    // MARK: The pool's life

    /// What a reload may change while requests run.
    func reconfigure(_ configuration: GatewayConfiguration, _ settings: PoolSettings) {
        queue.configuration = configuration.admission
        overload.configuration = configuration.admission.overload
        commons.limits.burstShare = configuration.admission.limitBurstShare
        policy = settings.policy
        fleet.setAheadLimit(settings.aheadLimitTickets)
        health.reconfigure(
            breaker: configuration.breaker, retryBudgetPercent: configuration.retryBudgetPercent)
        place(now: clock())
        settle()
    }

    /// Calls once, as soon as a worker takes requests.
    func notifyWhenReady(_ operation: @escaping @Sendable () -> Void) {
        whenReady = operation
        readinessChanged()
    }

    /// Nobody is sent here any more. What waits or runs has until the deadline, and then goes back
    /// to its requests, as does whatever still comes. `whenDone` is called when nothing is left.
    func retire(seconds: Int, whenDone: @escaping @Sendable () -> Void) {
        guard retirement == nil else { return }
        whenReady = nil
        let bound = NIOLoopBound(self, eventLoop: loop)
        let deadline = loop.scheduleTask(in: .seconds(Int64(seconds))) {
            bound.value.endRetirement()
        }
        retirement = .idling(deadline: deadline, whenDone: whenDone)
        settle()
    }

    private func endRetirement() {
        guard case .idling(let deadline, let whenDone) = retirement else { return }
        deadline.cancel()
        retirement = .over
        queued = QueuedWork()
        for ticket in queue.removeAll() { retire(ticket) }
        // What runs comes back as `requeue`, and is sent back then.
        for id in workers.keys.sorted() { broadcast(.workerEvicted(id)) }
        settle()
        whenDone()
    }

    /// Another pool may serve what the ticket asks for, and takes its limits anew.
    private func retire(_ ticket: TicketID) {
        if let entry = tickets.removeValue(forKey: ticket) {
            endLimits(of: entry, tokens: 0, isRefused: true, now: clock())
        }
        outbox[ticket.loop].append(.retired(ticket))
    }

    // MARK: Placing

    func place(now: Instant) {
        while fleet.hasRoom,
            let ticket = queue.next(
                now: now,
                includingBatch: fleet.hasIdleSlot(
                    reserve: queue.configuration.batchReserveSlots))
        {
            guard var entry = tickets[ticket] else {
                preconditionFailure("a ticket waits that nobody knows")
            }
            queued.remove(entry.request)
            guard lease(ticket, entry) else { continue }
            let worker = choose(ticket, entry, now: now)
            handedOut(&entry, now: now)
            entry.attempts += 1
            entry.run = run(ticket, on: worker, now: now)
            if entry.tier == .batch { batchRuns.began(ticket, on: worker) }
            tickets[ticket] = entry
            health.granted(ticket, on: worker, in: &fleet)
            outbox[ticket.loop].append(.granted(ticket, worker))
        }
    }

    /// For a ticket that waits, or that was placed behind others, batch work leaves a slot.
    private func makeWay(for ticket: TicketID) {
        guard let entry = tickets[ticket], entry.tier != .batch,
            entry.run?.waitedForSlot ?? true,
            let batch = batchRuns.giveWay(on: entry.run?.worker)
        else { return }
        outbox[batch.loop].append(.preempted(batch))
    }

    private func choose(_ ticket: TicketID, _ entry: DispatchTicket, now: Instant) -> WorkerID {
        // The worker whose slot was found idle.
        let policy = entry.tier == .batch ? RoutingPolicy.leastLoad : policy
        guard decisions.limit > 0 else {
            guard let worker = fleet.place(ticket, entry.request, by: policy) else {
                preconditionFailure("a fleet with room placed nothing")
            }
            return worker
        }
        guard let record = fleet.placeRecording(ticket, entry.request, by: policy) else {
            preconditionFailure("a fleet with room placed nothing")
        }
        decisions.add(decision(entry, .placed(record), now: now))
        return record.worker
    }

    private func run(
        _ ticket: TicketID, on id: WorkerID, now: Instant
    ) -> DispatchTicket.Run {
        guard let worker = fleet.worker(id), let own = fleet.load(of: ticket) else {
            preconditionFailure("a ticket was placed on a worker that is not there")
        }
        let load = worker.totalLoad
        return DispatchTicket.Run(
            worker: id, placed: now, prefillAhead: load.prefillTokens - own.prefillTokens,
            waitedForSlot: load.sequences > worker.slots)
    }

    private func decision(
        _ entry: DispatchTicket, _ outcome: Decision.Outcome, now: Instant
    ) -> Decision {
        Decision(
            requestID: entry.requestID, choice: entry.choice, attempt: entry.attempts,
            cause: entry.cause, tier: entry.tier, queued: entry.queued, decided: now,
            waiting: queue.count, outcome: outcome)
    }

    /// The tickets of one request.
    func refuse(
        _ refused: [TicketID], _ refusal: Refusal, of fingerprint: UInt64? = nil, now: Instant
    ) {
        let milliseconds = retryAfterMilliseconds(refusal, refused, now: now)
        if case .queueFull = refusal, let fingerprint {
            promises.promise(
                fingerprint, at: now.advanced(byNanoseconds: Int64(milliseconds) * 1_000_000),
                now: now)
        }
        for ticket in refused {
            if let entry = tickets.removeValue(forKey: ticket) {
                let kind = APIError(refusal, retryAfterMilliseconds: 0).kind.rawValue
                decisions.add(decision(entry, .refused(kind), now: now))
                endLimits(of: entry, tokens: 0, isRefused: true, now: now)
            }
            status.refused(refusal)
            if case .limited(let limit) = refusal {
                outbox[ticket.loop].append(.stands(ticket, limit.standing))
            }
            outbox[ticket.loop].append(
                .refused(ticket, refusal, retryAfterMilliseconds: milliseconds))
        }
    }

    func broadcast(_ event: DispatchEvent) {
        for index in outbox.indices { outbox[index].append(event) }
    }

    /// Ends every operation: one message per connection loop, the published numbers, the timer.
    func settle() {
        completeDrains()
        settleWaits()
        if case .idling = retirement, tickets.isEmpty { return endRetirement() }
        settleHealth()
        for index in outbox.indices where !outbox[index].isEmpty {
            loops[index].deliver(outbox[index], of: pool)
            outbox[index].removeAll(keepingCapacity: true)
        }
        publish()
        if queue.isEmpty {
            expiryTimer?.cancel()
            expiryTimer = nil
        } else if expiryTimer == nil {
            let bound = NIOLoopBound(self, eventLoop: loop)
            expiryTimer = loop.scheduleRepeatedTask(
                initialDelay: Self.expiryInterval, delay: Self.expiryInterval
            ) { _ in bound.value.expire() }
        }
    }

    private func publish() {
        guard !isRetired else { return }
        status.publish(
            FleetStatus.Numbers(
                pool: pool.name, waiting: queue.count + delayedRetries, inFlight: fleet.inFlight,
                readyWorkers: takingWorkers, readySlots: fleet.readySlots, workers: fleet.count,
                queuedSecondsPerSlot: queuedSecondsPerSlot,
                waitingByTier: ServiceTier.allCases.map { queue.count(of: $0) }), of: pool.number)
    }

    private var queuedSecondsPerSlot: Double {
        guard queued.tickets > 0 else { return 0 }
        return queued.secondsPerSlot(
            rates: rates.pool, readyWorkers: takingWorkers, readySlots: fleet.readySlots)
    }

    func expire() {
        let now = clock()
        for (ticket, refusal) in queue.expire(now: now) {
            if let entry = tickets[ticket] {
                queued.remove(entry.request)
                gaveUp(entry, now: now)
            }
            refuse([ticket], refusal, now: now)
        }
        settle()
    }

    // MARK: Why

    /// What is still known of how the request's choices were placed, and how many of them wait now.
    func decisions(of requestID: String) -> (decisions: [Decision], waiting: Int) {
        // A sum over all tickets; on demand of an operator only.
        let waiting = tickets.values.count { $0.requestID == requestID && $0.run == nil }
        return (decisions.decisions(of: requestID), waiting)
    }
}
