import HTTPTransport
import InferenceTypes
import Logging
import NIOPosix

/// Keeps a pool's dispatcher in step with what its sources report. Runs from its making to `stop`;
/// one task owns what it knows.
final class DiscoveredWorkers: Sendable {
    /// How long a worker that no source reports any more is drained before it is removed: names
    /// lose and regain addresses, and what runs there should end there.
    static let graceSeconds = 30

    private enum Event: Sendable {
        case sources([any WorkerDiscovery], refusal: @Sendable (HTTPEndpoint) -> String?)
        case report([WorkerSettings], source: Int, round: Int)
        /// Some worker's grace is over.
        case expiry
    }

    private let resolver: NIOThreadPool
    private let logger: Logger
    private let task: Task<Void, Never>
    private let events: AsyncStream<Event>.Continuation

    /// Follows the sources that a pool's settings name. Lookups block the resolver's threads.
    init(
        _ settings: PoolSettings, dispatcher: DispatcherHandle, resolver: NIOThreadPool,
        logger: Logger
    ) {
        self.resolver = resolver
        self.logger = logger
        let (stream, events) = AsyncStream.makeStream(of: Event.self)
        self.events = events
        task = Task {
            var run = Run(dispatcher: dispatcher, events: events, logger: logger)
            // Ends when this task is cancelled.
            for await event in stream { await run.handle(event) }
            run.end()
        }
        follow(settings)
    }

    /// The sources of other settings from now on.
    func follow(_ settings: PoolSettings) {
        var sources: [any WorkerDiscovery] = [ListedWorkers(workers: settings.workers)]
        for dns in settings.dns {
            sources.append(
                DNSWorkers(settings: dns, logger: logger) { [resolver] name in
                    try await SystemResolver.addresses(of: name, on: resolver)
                })
        }
        events.yield(.sources(sources, refusal: { settings.linkRefusal($0) }))
    }

    /// Follows the sources no more; workers stay as they are.
    func stop() async {
        task.cancel()
        await task.value
    }

    /// What the task that talks to the dispatcher knows.
    private struct Run {
        let dispatcher: DispatcherHandle
        let events: AsyncStream<Event>.Continuation
        let logger: Logger
        var set = WorkerSet(
            sources: 0, graceNanoseconds: Int64(graceSeconds) * 1_000_000_000)
        /// Why no link may go to an address; nil: it may.
        var refusal: @Sendable (HTTPEndpoint) -> String? = { _ in nil }
        /// Workers that the dispatcher was told of.
        var ids: [HTTPEndpoint: WorkerID] = [:]
        /// As their source said last.
        var weights: [HTTPEndpoint: Double] = [:]
        var feeds: [Task<Void, Never>] = []
        /// Tells late reports of former sources from those of the present ones.
        var round = 0
        var timer: Task<Void, Never>?

        mutating func handle(_ event: Event) async {
            let now = MonotonicClock.now()
            var changes: [WorkerSet.Change] = []
            switch event {
            case .sources(let sources, let refusal):
                self.refusal = refusal
                follow(sources)
            case .report(let workers, let source, round):
                changes = set.report(workers, from: source, now: now)
                weigh(workers)
            case .report: break
            case .expiry: changes = set.expire(now: now)
            }
            for change in changes { await apply(change) }
            timer?.cancel()
            guard let deadline = set.nextDeadline else { return }
            let wait = max(0, deadline.nanoseconds(since: now))
            timer = Task { [events] in
                // Cancelled when the next event sets another timer.
                guard (try? await Task.sleep(for: .nanoseconds(wait))) != nil else { return }
                events.yield(.expiry)
            }
        }

        mutating func end() {
            for feed in feeds { feed.cancel() }
            timer?.cancel()
        }

        private mutating func follow(_ sources: [any WorkerDiscovery]) {
            for feed in feeds { feed.cancel() }
            round += 1
            set.follow(sources: sources.count)
            feeds = sources.enumerated().map { index, source in
                Task { [events, round] in
                    await source.run { events.yield(.report($0, source: index, round: round)) }
                }
            }
        }

        /// What an operator has set stays until the source says something else.
        private mutating func weigh(_ workers: [WorkerSettings]) {
            for worker in workers where weights[worker.endpoint] != worker.weight {
                weights[worker.endpoint] = worker.weight
                guard let id = ids[worker.endpoint] else { continue }
                dispatcher.perform { _ = $0.setWeight(id, worker.weight) }
            }
        }

        private mutating func apply(_ change: WorkerSet.Change) async {
            switch change {
            case .add(let worker): await add(worker)
            case .drain(let endpoint):
                guard let id = ids[endpoint] else { return }
                logger.notice(
                    "worker vanished from its source", metadata: ["endpoint": "\(endpoint.text)"])
                dispatcher.perform { _ = $0.drainWorker(id, seconds: graceSeconds) }
            case .restore(let worker):
                let id = ids[worker.endpoint]
                let isRestored = try? await dispatcher.ask { dispatcher in
                    id.map { dispatcher.undrainWorker($0) } ?? false
                }
                // One that an operator removed meanwhile is a new one.
                if isRestored != true { await add(worker) }
            case .remove(let endpoint):
                weights[endpoint] = nil
                guard let id = ids.removeValue(forKey: endpoint) else { return }
                dispatcher.perform { $0.removeWorker(id) }
            }
        }

        private mutating func add(_ worker: WorkerSettings) async {
            let endpoint = worker.endpoint
            if let reason = refusal(endpoint) {
                return logger.error("worker is not used", metadata: ["reason": "\(reason)"])
            }
            // Fails only when the gateway is stopping.
            ids[endpoint] = try? await dispatcher.ask {
                $0.addWorker(endpoint, weight: worker.weight)
            }
        }
    }
}
