import Admission
import HTTPTransport
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

    private struct Ticket {
        var tier: ServiceTier
        var arrival: Instant
        var deadline: Instant?
    }

    private struct WorkerEntry {
        var endpoint: HTTPEndpoint
        /// Which connection loops have an open link to it, by loop number.
        var linked: [Bool]
        var wasEverReady = false
        var drain: Drain?
        var isReady: Bool { linked.allSatisfy { $0 } }
    }

    /// A worker that gets no new requests.
    private struct Drain {
        var deadline: Scheduled<Void>
        /// Called once, when nothing runs there any more or it is gone.
        var whenDone: (@Sendable () -> Void)?
    }

    private let loop: any EventLoop
    private let loops: [ConnectionLoopHandle]
    private let clock: @Sendable () -> Instant
    private let pool: Pool
    private let numbers: WorkerNumbers
    private var policy: RoutingPolicy
    private let status: FleetStatus
    private let logger: Logger

    private var queue: AdmissionQueue
    private var fleet: Fleet
    private var rate = ServiceRate()
    private var tickets: [TicketID: Ticket] = [:]
    private var workers: [WorkerID: WorkerEntry] = [:]
    /// Workers with a `drain`.
    private var draining: Set<WorkerID> = []
    /// Ready workers that are not being drained.
    private var takingWorkers = 0
    private var outbox: [[DispatchEvent]]
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

    init(
        pool: Pool, loop: any EventLoop, loops: [ConnectionLoopHandle], numbers: WorkerNumbers,
        admission: AdmissionConfiguration, aheadLimitTickets: Int, policy: RoutingPolicy,
        status: FleetStatus, clock: @escaping @Sendable () -> Instant, logger: Logger
    ) {
        self.pool = pool
        self.numbers = numbers
        self.loop = loop
        self.loops = loops
        self.clock = clock
        self.policy = policy
        self.status = status
        self.logger = logger
        self.queue = AdmissionQueue(configuration: admission, now: clock())
        self.fleet = Fleet(aheadLimitTickets: aheadLimitTickets)
        self.outbox = loops.map { _ in [] }
    }

    // MARK: Requests

    func submit(_ submission: Submission) {
        if case .over = retirement {
            for ticket in submission.tickets { outbox[ticket.loop].append(.retired(ticket)) }
            return settle()
        }
        let now = clock()
        let outcome = queue.submit(
            submission.tickets, tier: submission.tier, deadline: submission.deadline, now: now)
        switch outcome {
        case .queued:
            for ticket in submission.tickets {
                tickets[ticket] = Ticket(
                    tier: submission.tier, arrival: now, deadline: submission.deadline)
            }
            place(now: now)
        case .refused(let refusal):
            for ticket in submission.tickets { refuse(ticket, refusal) }
        }
        settle()
    }

    /// The ticket's work is over, or its client has gone: whatever it held is free.
    func finish(_ ticket: TicketID) {
        guard tickets.removeValue(forKey: ticket) != nil else { return }
        if !queue.cancel(ticket), fleet.release(ticket) {
            let now = clock()
            rate.finished(now: now)
            place(now: now)
        }
        settle()
    }

    /// The worker was lost before the ticket's first token: it goes back to the head of the line.
    func requeue(_ ticket: TicketID) {
        guard let entry = tickets[ticket] else { return }
        _ = fleet.release(ticket)
        if case .over = retirement {
            tickets[ticket] = nil
            outbox[ticket.loop].append(.retired(ticket))
            return settle()
        }
        let now = clock()
        queue.requeue(
            ticket, tier: entry.tier, arrival: entry.arrival, deadline: entry.deadline, now: now)
        place(now: now)
        settle()
    }

    func drain() {
        queue.drain()
    }

    // MARK: Workers

    func addWorker(_ endpoint: HTTPEndpoint) -> WorkerID {
        let id = numbers.next()
        workers[id] = WorkerEntry(endpoint: endpoint, linked: loops.map { _ in false })
        // The slots are known once the first link has asked the worker.
        fleet.add(id, slots: 1)
        broadcast(.workerAdded(id, endpoint))
        settle()
        return id
    }

    /// What runs there goes on elsewhere.
    func removeWorker(_ id: WorkerID) {
        guard let entry = workers.removeValue(forKey: id) else { return }
        entry.drain?.deadline.cancel()
        entry.drain?.whenDone?()
        draining.remove(id)
        fleet.remove(id)
        readinessChanged()
        broadcast(.workerRemoved(id))
        settle()
    }

    func removeAllWorkers() {
        for id in workers.keys.sorted() { removeWorker(id) }
    }

    /// No new requests from now on; what runs has until the deadline and then goes on elsewhere.
    /// `whenDone` is called when nothing runs there any more. False when there is no such worker,
    /// or somebody waits for its end already.
    func drainWorker(
        _ id: WorkerID, seconds: Int, whenDone: (@Sendable () -> Void)? = nil
    ) -> Bool {
        guard let entry = workers[id], entry.drain?.whenDone == nil else { return false }
        entry.drain?.deadline.cancel()
        let bound = NIOLoopBound(self, eventLoop: loop)
        let deadline = loop.scheduleTask(in: .seconds(Int64(seconds))) {
            bound.value.evict(id)
        }
        workers[id]?.drain = Drain(deadline: deadline, whenDone: whenDone)
        draining.insert(id)
        fleet.setDraining(id, true)
        logger.notice(
            "worker drains", metadata: ["worker": "\(id.number)", "seconds": "\(seconds)"])
        readinessChanged()
        settle()
        return true
    }

    /// The worker gets requests again. False when there is no such worker, or it drains because it
    /// is about to end.
    func undrainWorker(_ id: WorkerID) -> Bool {
        guard let entry = workers[id], entry.drain?.whenDone == nil else { return false }
        entry.drain?.deadline.cancel()
        workers[id]?.drain = nil
        draining.remove(id)
        fleet.setDraining(id, false)
        readinessChanged()
        place(now: clock())
        settle()
        return true
    }

    private func evict(_ id: WorkerID) {
        guard workers[id]?.drain != nil else { return }
        broadcast(.workerEvicted(id))
        settle()
    }

    private func completeDrains() {
        guard !draining.isEmpty else { return }
        for id in draining.sorted() where fleet.worker(id)?.inFlight == 0 {
            guard let done = workers[id]?.drain?.whenDone else { continue }
            workers[id]?.drain?.whenDone = nil
            done()
        }
    }

    /// Nil when there is no such worker.
    func endpoint(of id: WorkerID) -> HTTPEndpoint? { workers[id]?.endpoint }

    /// All workers, by id.
    func workerList() -> [WorkerStatus] {
        fleet.workers.map { worker in
            let entry = workers[worker.id]
            let state: WorkerStatus.State =
                if entry?.drain != nil {
                    worker.inFlight == 0 ? .drained : .draining
                } else if worker.isReady {
                    .ready
                } else {
                    entry?.wasEverReady == true ? .lost : .connecting
                }
            return WorkerStatus(
                id: worker.id.number, pool: pool.name, endpoint: entry?.endpoint.text ?? "",
                state: state, slots: worker.slots, inFlight: worker.inFlight)
        }
    }

    func report(_ report: LinkReport, of id: WorkerID, from loop: Int) {
        guard let entry = workers[id] else { return }
        let wasReady = entry.isReady
        switch report {
        case .up(let slots):
            workers[id]?.linked[loop] = true
            fleet.setReady(id, workers[id]?.isReady ?? false, slots: slots)
        case .down:
            workers[id]?.linked[loop] = false
            fleet.setReady(id, false)
        }
        let isReady = workers[id]?.isReady ?? false
        if isReady { workers[id]?.wasEverReady = true }
        if wasReady != isReady {
            logger.info(
                isReady ? "worker ready" : "worker lost",
                metadata: ["worker": "\(id.number)", "endpoint": "\(entry.endpoint)"])
            readinessChanged()
        }
        place(now: clock())
        settle()
    }

    private func readinessChanged() {
        takingWorkers = fleet.workers.count { $0.isReady && !$0.isDraining }
        queue.workersReady(takingWorkers > 0, now: clock())
        guard takingWorkers > 0, let whenReady else { return }
        self.whenReady = nil
        whenReady()
    }

    // MARK: The pool's life

    /// What a reload may change while requests run.
    func reconfigure(admission: AdmissionConfiguration, policy: RoutingPolicy) {
        queue.configuration = admission
        self.policy = policy
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
        for ticket in queue.removeAll() {
            tickets[ticket] = nil
            outbox[ticket.loop].append(.retired(ticket))
        }
        // What runs comes back as `requeue`, and is sent back then.
        for id in workers.keys.sorted() { broadcast(.workerEvicted(id)) }
        settle()
        whenDone()
    }

    // MARK: Placing

    private func place(now: Instant) {
        while fleet.hasRoom, let ticket = queue.next(now: now) {
            guard let worker = fleet.place(ticket, by: policy) else {
                preconditionFailure("a fleet with room placed nothing")
            }
            outbox[ticket.loop].append(.granted(ticket, worker))
        }
    }

    private func refuse(_ ticket: TicketID, _ refusal: Refusal) {
        tickets[ticket] = nil
        status.refused(refusal)
        outbox[ticket.loop].append(
            .refused(
                ticket, refusal, retryAfterSeconds: rate.retryAfterSeconds(waiting: queue.count)))
    }

    private func broadcast(_ event: DispatchEvent) {
        for index in outbox.indices { outbox[index].append(event) }
    }

    /// Ends every operation: one message per connection loop, the published numbers, the timer.
    private func settle() {
        completeDrains()
        if case .idling = retirement, tickets.isEmpty { return endRetirement() }
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
        if case .over = retirement { return }
        status.publish(
            FleetStatus.Numbers(
                waiting: queue.count, inFlight: fleet.inFlight, readyWorkers: takingWorkers,
                readySlots: fleet.readySlots, workers: fleet.count), of: pool.number)
    }

    private func expire() {
        for (ticket, refusal) in queue.expire(now: clock()) { refuse(ticket, refusal) }
        settle()
    }
}

/// The dispatcher as other threads see it: fire and forget.
struct DispatcherHandle: Sendable {
    private let loop: any EventLoop
    private let dispatcher: NIOLoopBoundBox<Dispatcher?>

    init(loop: any EventLoop) {
        self.loop = loop
        self.dispatcher = NIOLoopBoundBox.makeEmptyBox(valueType: Dispatcher.self, eventLoop: loop)
    }

    /// Called once, before anything else: the dispatcher is made on its loop.
    func install(_ make: @escaping @Sendable () -> Dispatcher) {
        loop.execute { dispatcher.value = make() }
    }

    /// Runs on the dispatcher's loop, in order of the calls from one thread.
    func perform(_ operation: @escaping @Sendable (Dispatcher) -> Void) {
        loop.execute {
            guard let dispatcher = dispatcher.value else { return }
            operation(dispatcher)
        }
    }

    /// Control path only: returns when everything that was put on the loop before has been done.
    func settle() async {
        // Fails only on a loop that has ended, where nothing is left to be done.
        try? await loop.submit {}.get()
    }

    /// Control path only: awaits the operation's answer.
    func ask<Answer: Sendable>(
        _ operation: @escaping @Sendable (Dispatcher) -> Answer
    ) async throws -> Answer {
        try await loop.submit {
            guard let dispatcher = dispatcher.value else { throw CancellationError() }
            return operation(dispatcher)
        }.get()
    }
}
