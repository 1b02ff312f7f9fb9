import NIOCore
import Synchronization

/// `grpc.health.v1.HealthCheckResponse.ServingStatus`.
package enum GRPCServingStatus: UInt8, Hashable, Sendable {
    case unknown = 0
    case serving = 1
    case notServing = 2
    /// Only `Watch` answers with it: the service may still be registered.
    case serviceUnknown = 3
}

/// `grpc.health.v1.Health`: Check, List and Watch.
///
/// Statuses are set from the control path and read by calls on any loop, so they are behind a
/// lock; it is held for a dictionary access, and no call of the data path takes it.
package final class GRPCHealthService: Sendable {
    private struct State {
        var statuses: [String: GRPCServingStatus]
        var watchers: [UInt64: Watcher] = [:]
        var nextWatcher: UInt64 = 0
        var isClosed = false
    }

    private struct Watcher {
        let service: String
        let eventLoop: any EventLoop
        let watch: NIOLoopBound<HealthWatch>
    }

    private let state: Mutex<State>
    private let maxWatchers: Int

    /// - Parameter maxWatchers: open `Watch` calls; a further one gets RESOURCE_EXHAUSTED.
    package init(statuses: [String: GRPCServingStatus] = ["": .serving], maxWatchers: Int = 1024) {
        state = Mutex(State(statuses: statuses))
        self.maxWatchers = maxWatchers
    }

    /// Sets a service's status and tells its watchers; "" is the server as a whole. From any
    /// thread.
    package func set(_ status: GRPCServingStatus, for service: String) {
        let watchers = state.withLock { state -> [Watcher] in
            guard state.statuses.updateValue(status, forKey: service) != status else { return [] }
            return state.watchers.values.filter { $0.service == service }
        }
        for watcher in watchers {
            watcher.eventLoop.execute { watcher.watch.value.send(status) }
        }
    }

    /// Everything becomes NOT_SERVING and watches end with UNAVAILABLE after telling so: an open
    /// watch would hold up a drain for ever.
    package func close() {
        let watchers = state.withLock { state -> [Watcher] in
            state.isClosed = true
            state.statuses = state.statuses.mapValues { _ in .notServing }
            defer { state.watchers = [:] }
            return Array(state.watchers.values)
        }
        for watcher in watchers {
            watcher.eventLoop.execute { watcher.watch.value.close() }
        }
    }

    /// Adds the three methods.
    package func register(in router: inout GRPCRouter) {
        router.add("/grpc.health.v1.Health/Check") { message, _ throws(GRPCStatus) in
            let service = try Self.service(in: message)
            guard let status = self.status(of: service) else {
                throw GRPCStatus(.notFound, "unknown service '\(service)'")
            }
            return GRPCHealthMessages.response(status)
        }
        router.add("/grpc.health.v1.Health/List") { _, _ throws(GRPCStatus) in
            let statuses = self.state.withLock { $0.statuses }
            return GRPCHealthMessages.list(
                statuses.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
        }
        router.add("/grpc.health.v1.Health/Watch") { message, call in
            self.watch(message, call)
        }
    }

    private static func service(in message: ByteBuffer) throws(GRPCStatus) -> String {
        do {
            return try GRPCHealthMessages.service(in: message)
        } catch {
            throw GRPCStatus(.invalidArgument, "malformed HealthCheckRequest")
        }
    }

    private func status(of service: String) -> GRPCServingStatus? {
        state.withLock { $0.statuses[service] }
    }

    private func watch(
        _ message: ByteBuffer, _ call: GRPCServerCall
    ) -> (any GRPCServerCallObserver)? {
        let service: String
        do {
            service = try Self.service(in: message)
        } catch {
            call.finish(error)
            return nil
        }
        let watch = HealthWatch(call, self)
        let bound = NIOLoopBound(watch, eventLoop: call.eventLoop)
        let outcome = state.withLock { state -> (GRPCServingStatus, UInt64)? in
            guard state.watchers.count < maxWatchers else { return nil }
            let id = state.nextWatcher
            state.nextWatcher += 1
            if !state.isClosed {
                state.watchers[id] = Watcher(
                    service: service, eventLoop: call.eventLoop, watch: bound)
            }
            return (state.statuses[service] ?? .serviceUnknown, id)
        }
        guard let (status, id) = outcome else {
            call.finish(GRPCStatus(.resourceExhausted, "too many watches"))
            return nil
        }
        watch.id = id
        watch.send(status)
        if state.withLock({ $0.isClosed }) { watch.close() }
        return watch
    }

    fileprivate func remove(_ id: UInt64) {
        state.withLock { state in
            state.watchers[id] = nil
        }
    }
}

/// One `Watch` call. Owned by its connection's loop. A slow reader gets the newest status only.
private final class HealthWatch: GRPCServerCallObserver {
    var id: UInt64 = 0
    private let call: GRPCServerCall
    private let service: GRPCHealthService
    private var lastSent: GRPCServingStatus?
    private var waiting: GRPCServingStatus?

    init(_ call: GRPCServerCall, _ service: GRPCHealthService) {
        self.call = call
        self.service = service
    }

    func send(_ status: GRPCServingStatus) {
        guard !call.isFinished else { return }
        guard call.isWritable else {
            waiting = status
            return
        }
        waiting = nil
        guard status != lastSent else { return }
        lastSent = status
        call.send(message: GRPCHealthMessages.response(status))
    }

    func close() {
        send(.notServing)
        call.finish(GRPCStatus(.unavailable, "the server is shutting down"))
    }

    func cancelled(_ status: GRPCStatus) {
        service.remove(id)
    }

    func writabilityChanged(_ isWritable: Bool) {
        if isWritable, let waiting { send(waiting) }
    }
}
