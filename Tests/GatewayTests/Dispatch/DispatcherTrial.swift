import Admission
import InferenceTypes
import Logging
import NIOCore
import NIOPosix
import Routing
import Synchronization

@testable import Gateway

/// A dispatcher on a loop of its own, with one worker and a clock that stands still until it is
/// moved. What it sends to connection loops goes nowhere.
struct DispatcherTrial: Sendable {
    final class Clock: Sendable {
        private let time = Mutex(Instant(nanoseconds: 1_000_000_000))
        var now: Instant { time.withLock { $0 } }
        func pass(_ seconds: Double) {
            time.withLock { $0 = $0.advanced(byNanoseconds: Int64(seconds * 1e9)) }
        }
    }

    let clock = Clock()
    let status = FleetStatus()
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let dispatcher: DispatcherHandle

    init(_ admission: AdmissionConfiguration = AdmissionConfiguration(), slots: Int = 2) throws {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let (loop, clock, status) = (group.next(), clock, status)
        dispatcher = DispatcherHandle(loop: loop)
        let model = try ServedModel(ModelSettings(name: "m", path: nil), created: 0)
        let pool = Pool(
            name: "p", number: 0, kind: .engine, model: model, dispatcher: dispatcher,
            credentials: WorkerLinkCredentials(.none), upstream: nil)
        dispatcher.install { [logger] in
            let dispatcher = Dispatcher(
                pool: pool, loop: loop, loops: [ConnectionLoopHandle(eventLoop: loop)],
                commons: DispatcherCommons(), admission: admission, aheadLimitTickets: 0,
                policy: .leastLoad, decisionLimit: 0, status: status,
                clock: { clock.now }, logger: logger)
            let worker = dispatcher.addWorker(.tcp(host: "127.0.0.1", port: 9))
            dispatcher.report(.up(slots: slots, started: nil), of: worker, from: 0)
            return dispatcher
        }
    }

    /// Runs on the dispatcher's loop, and then ends it.
    func run(_ operation: @escaping @Sendable (Dispatcher) -> Void) async throws {
        try await dispatcher.ask(operation)
        try await group.shutdownGracefully()
    }
}

extension Submission {
    init(
        _ tickets: [TicketID], tenant: UInt32 = 1, tier: ServiceTier = .standard,
        limits: RateLimits = .none, deadline: Instant? = nil, prompt: Int = 10, output: Int = 100
    ) {
        var terms = SubmissionTerms(
            claim: AdmissionQueue.Claim(tenant: TenantNumber(tenant), share: .equal))
        if limits != .none { terms.limits = [(.tenant(TenantNumber(tenant)), limits)] }
        self.init(
            requestID: "r", tickets: tickets, tier: tier, deadline: deadline, arrival: .zero,
            requests: [PlacementRequest(promptTokens: prompt, outputTokens: output)],
            promptTokens: prompt, terms: terms)
    }
}

extension Dispatcher {
    /// Tickets that have a worker, by number.
    var running: [TicketID] {
        tickets.filter { $0.value.run != nil }.keys.sorted()
    }
}
