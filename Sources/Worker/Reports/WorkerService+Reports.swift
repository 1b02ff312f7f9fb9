import EngineProtocol
import GRPC
import NIOCore
import Synchronization

/// Subscriptions: on whatever loop they come in, they are served from the first.
extension WorkerService {
    /// Before the service is offered to anybody.
    func startReporting(_ configuration: WorkerConfiguration, log: CacheLog) async {
        let loop = tables.first
        let now = now
        await withCheckedContinuation { continuation in
            loop.execute {
                let reporter = EventReporter(
                    eventLoop: loop, log: log,
                    intervalMilliseconds: configuration.reportMilliseconds,
                    blockTokens: configuration.reportBlockTokens,
                    subscribersMax: configuration.subscribersMax, now: now,
                    load: { [unowned self] in self.load() })
                let bound = NIOLoopBound(reporter, eventLoop: loop)
                self.reporter.withLock { $0 = bound }
                continuation.resume()
            }
        }
    }

    /// Subscribers would hold up a drain for ever.
    func endReports(_ status: GRPCStatus) {
        withReporter { $0.close(status) }
    }

    func subscribe(_ call: EngineEventCall) {
        let (id, loop) = (ObjectIdentifier(call), call.eventLoop)
        let bound = NIOLoopBound(call, eventLoop: loop)
        withReporter { $0.subscribe(id, bound, on: loop) }
    }

    func unsubscribed(_ call: EngineEventCall) {
        let id = ObjectIdentifier(call)
        withReporter { $0.unsubscribe(id) }
    }

    func eventsWritable(_ call: EngineEventCall) {
        let id = ObjectIdentifier(call)
        withReporter { $0.writable(id) }
    }

    /// On the first loop, in order of calls from one thread.
    private func withReporter(_ body: @escaping @Sendable (EventReporter) -> Void) {
        guard let reporter = reporter.withLock({ $0 }) else { return }
        tables.first.execute { body(reporter.value) }
    }
}
