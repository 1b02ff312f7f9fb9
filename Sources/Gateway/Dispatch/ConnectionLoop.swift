import EngineProtocol
import HTTPTransport
import InferenceAPI
import InferenceTypes
import Logging
import NIOCore
import Routing

/// What one event loop of the gateway owns besides its connections: its own link to each worker,
/// and the choices that wait or run. Owned by that loop.
final class ConnectionLoop {
    /// How often silent streams and time limits are looked at.
    static let sweepInterval: TimeAmount = .milliseconds(500)
    /// How many of them at once, and what is left to others in between: a look at thousands would
    /// hold up the tokens of all by milliseconds.
    static let sweepSlice = 64
    static let sweepPause: TimeAmount = .milliseconds(1)

    let index: Int
    let eventLoop: any EventLoop
    let core: GatewayCore

    private var links: [WorkerID: PoolLink] = [:]
    /// Choices that have a ticket, waiting or running.
    private var choices: [TicketID: any TicketHolder] = [:]
    /// Requests whose head has been accepted and which have not ended.
    private var work: [ObjectIdentifier: any ConnectionWork] = [:]
    /// Streams begun here that go on without their client, by their own id.
    var detachable: [String: DetachableStream] = [:]
    private var ticketSequence: UInt64 = 0
    /// That the dispatcher has not yet been told of.
    private var firstTokens: [(pool: Pool, note: FirstToken)] = []
    private var sweepTimer: RepeatedTask?
    private var isSweeping = false
    /// Requests being decoded and tokenized; bounded by `ChatLimits.preparationLimit`.
    var preparing = 0

    init(index: Int, eventLoop: any EventLoop, core: GatewayCore) {
        self.index = index
        self.eventLoop = eventLoop
        self.core = core
    }

    // MARK: Dispatchers' events

    func handle(_ events: [DispatchEvent], of pool: Pool) {
        for event in events {
            switch event {
            case .granted(let ticket, let worker):
                granted(ticket, worker, of: pool)
            case .refused(let ticket, let refusal, let milliseconds):
                let choice = choices.removeValue(forKey: ticket)
                choice?.refused(refusal, retryAfterMilliseconds: milliseconds)
            case .stands(let ticket, let standing):
                choices[ticket]?.stands(standing)
            case .places(let places):
                for place in places { choices[place.ticket]?.waits(at: place) }
            case .leased(let ticket, let positions): choices[ticket]?.leased(positions: positions)
            case .unaffordable(let ticket): choices[ticket]?.unaffordable()
            case .retired(let ticket):
                choices.removeValue(forKey: ticket)?.poolRetired()
            case .retryDenied(let ticket):
                choices.removeValue(forKey: ticket)?.retryDenied()
            case .preempted(let ticket):
                choices[ticket]?.move()
            case .workerAdded(let id, let endpoint):
                let link = makeLink(id, endpoint, of: pool)
                links[id] = link
                link.connect()
            case .workerEvicted(let id):
                // A copy, since a choice may end, and leave the table, while it is moved.
                for choice in Array(choices.values) where choice.worker == id { choice.move() }
            case .workerRemoved(let id):
                links.removeValue(forKey: id)?.close()
            }
        }
    }

    private func granted(_ ticket: TicketID, _ worker: WorkerID, of pool: Pool) {
        guard let choice = choices[ticket] else {
            // The client went away while the grant was on its way; `finish` has been sent.
            return
        }
        guard choice.granted(worker, on: links[worker]) else {
            // The link broke while the grant was on its way; the report of it precedes this.
            return requeue(ticket, .retry, to: pool)
        }
    }

    private func makeLink(_ id: WorkerID, _ endpoint: HTTPEndpoint, of pool: Pool) -> PoolLink {
        if let access = pool.upstream {
            return .upstream(
                UpstreamLink(
                    id: id, endpoint: endpoint, access: access, pool: pool, connectionLoop: self))
        }
        return .engine(WorkerLink(id: id, endpoint: endpoint, pool: pool, connectionLoop: self))
    }

    // MARK: Choices and generations

    func newTicket() -> TicketID {
        ticketSequence += 1
        return TicketID(loop: index, sequence: ticketSequence)
    }

    func submit(_ choices: [any TicketHolder], _ submission: Submission, to pool: Pool) {
        for choice in choices { self.choices[choice.ticket] = choice }
        pool.dispatcher.perform { $0.submit(submission) }
    }

    /// The choice's work is over, whatever the reason; its load is given back exactly once.
    ///
    /// - Parameter fault: how its worker's call ended; nil when that says nothing of the worker.
    func finish(
        _ ticket: TicketID, _ summary: RunSummary, after fault: WorkerFault?, of pool: Pool
    ) {
        guard choices.removeValue(forKey: ticket) != nil else { return }
        tellFirstTokens()
        pool.dispatcher.perform { $0.finish(ticket, summary, after: fault) }
    }

    /// At the end of this turn of the loop, as `requeue`.
    func retry(
        _ ticket: TicketID, _ retry: ChoiceFailover.Retry, after fault: WorkerFault, in pool: Pool
    ) {
        tellFirstTokens()
        eventLoop.execute { pool.dispatcher.perform { $0.retry(ticket, retry, after: fault) } }
    }

    /// At the end of this turn of the loop: calls fail before their link says that it is lost, and
    /// the ticket's prefix would bring it back to a worker that the dispatcher takes for ready.
    func requeue(_ ticket: TicketID, _ cause: Decision.Cause, to pool: Pool) {
        tellFirstTokens()
        eventLoop.execute { pool.dispatcher.perform { $0.requeue(ticket, cause) } }
    }

    /// The choice has all tokens of its lease, and goes on behind them when there is another.
    func renewLease(_ ticket: TicketID, positions: Int, of pool: Pool) {
        pool.dispatcher.perform { $0.leaseEnded(ticket, positions: positions) }
        requeue(ticket, .lease, to: pool)
    }

    /// Dispatchers hear of all first tokens of this turn of the loop at once.
    func firstToken(_ note: FirstToken, of pool: Pool) {
        firstTokens.append((pool, note))
        guard firstTokens.count == 1 else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.execute { bound.value.tellFirstTokens() }
    }

    private func tellFirstTokens() {
        while let pool = firstTokens.first?.pool {
            let notes = firstTokens.filter { $0.pool.number == pool.number }.map(\.note)
            firstTokens.removeAll { $0.pool.number == pool.number }
            pool.dispatcher.perform { $0.firstTokens(notes) }
        }
    }

    func add(_ request: any ConnectionWork) {
        work[ObjectIdentifier(request)] = request
        guard sweepTimer == nil else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        sweepTimer = eventLoop.scheduleRepeatedTask(
            initialDelay: Self.sweepInterval, delay: Self.sweepInterval
        ) { _ in bound.value.sweep() }
    }

    func remove(_ request: any ConnectionWork) {
        work[ObjectIdentifier(request)] = nil
        guard work.isEmpty else { return }
        sweepTimer?.cancel()
        sweepTimer = nil
    }

    private func sweep() {
        guard !isSweeping else { return }
        isSweeping = true
        // A copy, since requests come and end while it is looked at.
        sweep(Array(work.values)[...])
    }

    private func sweep(_ requests: ArraySlice<any ConnectionWork>) {
        let now = core.clock()
        for request in requests.prefix(Self.sweepSlice)
        where work[ObjectIdentifier(request)] != nil {
            request.tick(now: now)
        }
        let rest = requests.dropFirst(Self.sweepSlice)
        guard rest.isEmpty else {
            eventLoop.assumeIsolated().scheduleTask(in: Self.sweepPause) { self.sweep(rest) }
            return
        }
        isSweeping = false
        askPlaces()
    }

    /// Streams that wait tell their clients how long they will.
    private func askPlaces() {
        var waiting: [(pool: Pool, tickets: [TicketID])] = []
        for (ticket, choice) in choices {
            guard let pool = choice.asksPlace else { continue }
            if let index = waiting.firstIndex(where: { $0.pool.number == pool.number }) {
                waiting[index].tickets.append(ticket)
            } else {
                waiting.append((pool, [ticket]))
            }
        }
        for (pool, tickets) in waiting {
            pool.dispatcher.perform { $0.tellPlaces(tickets) }
        }
    }

    /// The drain time is over: what still runs ends with an error of its own.
    func endAll(_ error: APIError) {
        for request in Array(work.values) { request.end(.failed(error)) }
        for stream in Array(detachable.values) { stream.remove() }
    }

    var activeRequests: Int { work.count }

    func closeLinks() {
        for link in Array(links.values) { link.close() }
        links.removeAll()
    }
}

/// A request that a connection loop looks after until it has ended.
protocol ConnectionWork: AnyObject {
    /// Called a few times a second.
    func tick(now: Instant)
    /// Ends it once; nothing when it has ended.
    func end(_ end: GenerationEnd)
}

/// A connection loop as other threads see it.
struct ConnectionLoopHandle: Sendable {
    let eventLoop: any EventLoop
    private let box: NIOLoopBoundBox<ConnectionLoop?>

    init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        self.box = NIOLoopBoundBox.makeEmptyBox(
            valueType: ConnectionLoop.self, eventLoop: eventLoop)
    }

    /// Called once, on the loop, before any request arrives.
    func install(_ connectionLoop: ConnectionLoop) {
        box.value = connectionLoop
    }

    /// On the loop only.
    var onLoop: ConnectionLoop? { box.value }

    func deliver(_ events: [DispatchEvent], of pool: Pool) {
        eventLoop.execute { box.value?.handle(events, of: pool) }
    }

    func perform(_ operation: @escaping @Sendable (ConnectionLoop) -> Void) {
        eventLoop.execute {
            guard let connectionLoop = box.value else { return }
            operation(connectionLoop)
        }
    }
}

extension [ConnectionLoopHandle] {
    /// What belongs to `eventLoop`, on which it is called. At most a few dozen, so the search by
    /// identity is short.
    func onLoop(_ eventLoop: any EventLoop) -> ConnectionLoop {
        for handle in self where handle.eventLoop === eventLoop {
            guard let connectionLoop = handle.onLoop else { break }
            return connectionLoop
        }
        preconditionFailure("a connection on a loop that is not the gateway's")
    }
}
