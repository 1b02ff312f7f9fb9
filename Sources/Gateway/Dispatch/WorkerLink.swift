import EngineProtocol
import HTTPTransport
import InferenceTypes
import Logging
import NIOCore

/// One connection loop's link to one worker: connects, says so to the dispatcher, and connects
/// again when the link breaks, until it is closed. Owned by the connection loop.
///
/// ```
///   connect ──► asking (model, server info) ──► open ──► lost ──► (backoff) connect
///      │                 │                        │
///      └── failed ───────┴──► (backoff) connect   └── close ──► closed
/// ```
///
/// While it is open the worker is asked for its health: one that takes no more requests gets none,
/// and one whose engine hangs is given up, so that its requests go on elsewhere.
final class WorkerLink {
    private static let backoffInitial: TimeAmount = .milliseconds(50)
    private static let backoffMaximum: TimeAmount = .seconds(2)

    let id: WorkerID
    let endpoint: HTTPEndpoint
    /// Set while calls may be made.
    private(set) var connection: EngineConnection?

    private let pool: Pool
    private unowned let connectionLoop: ConnectionLoop
    private var backoff = WorkerLink.backoffInitial
    private var isClosed = false
    private var isReconnecting = false
    /// Why there was no link at the last attempt, for the log.
    private var lastFailure: String?
    /// What the dispatcher was told.
    private var isUp = false
    private var slots = 1
    /// About when its process started, where it says so.
    private var started: Instant?
    /// Whether the worker is a `switchyard worker`. Known while there is a `connection`.
    private(set) var isOurs = false
    private var healthTimer: RepeatedTask?
    /// Of the first connection loop's link.
    private var reports: LoadReports?

    init(id: WorkerID, endpoint: HTTPEndpoint, pool: Pool, connectionLoop: ConnectionLoop) {
        self.id = id
        self.pool = pool
        self.endpoint = endpoint
        self.connectionLoop = connectionLoop
    }

    func connect() {
        guard !isClosed else { return }
        isReconnecting = false
        let bound = NIOLoopBound(self, eventLoop: connectionLoop.eventLoop)
        EngineConnection.connect(
            to: endpoint, on: connectionLoop.eventLoop,
            configuration: connectionLoop.core.serving.current.configuration.links,
            credentials: pool.credentials.credentials(for: endpoint)
        ).whenComplete { result in
            switch result {
            case .success(let connection): bound.value.connected(connection.value)
            case .failure(let error): bound.value.failed("\(error)")
            }
        }
    }

    func close() {
        isClosed = true
        stopChecking()
        let closing = connection
        connection = nil
        closing?.close()
    }

    private func connected(_ connection: EngineConnection) {
        guard !isClosed else { return connection.close() }
        let bound = NIOLoopBound((self, connection), eventLoop: connectionLoop.eventLoop)
        connection.onClose = { _ in bound.value.0.lost() }
        connection.modelInfo().and(connection.serverInfo()).whenComplete { result in
            let (link, connection) = bound.value
            switch result {
            case .success((let model, let server)):
                link.introduced(connection: connection, model: model, server: server)
            case .failure(let error):
                connection.close()
                link.failed("\(error)")
            }
        }
    }

    private func introduced(
        connection: EngineConnection, model: EngineModelInfo, server: EngineServerInfo
    ) {
        guard !isClosed, connection.isOpen else { return }
        if let reason = pool.model.mismatch(with: model) {
            connectionLoop.core.logger.error(
                "worker serves another model",
                metadata: ["worker": "\(id.number)", "reason": "\(reason)"])
            return connection.close()
        }
        self.connection = connection
        lastFailure = nil
        isOurs = server.isSwitchyard
        slots = server.totalSlots(
            default: connectionLoop.core.serving.current.configuration.workerSlotsDefault)
        started =
            server.uptimeSeconds > 0
            ? connectionLoop.core.clock().advanced(
                byNanoseconds: -Int64(min(server.uptimeSeconds, 1e9) * 1e9)) : nil
        checkHealth()
        if connectionLoop.index == 0 {
            reports = LoadReports(of: id, in: pool, on: connection, connectionLoop)
            reports?.start()
        }
        let bound = NIOLoopBound(self, eventLoop: connectionLoop.eventLoop)
        let interval = TimeAmount.nanoseconds(
            connectionLoop.core.serving.current.configuration.healthIntervalNanoseconds)
        healthTimer = connectionLoop.eventLoop.scheduleRepeatedTask(
            initialDelay: interval, delay: interval
        ) { _ in bound.value.checkHealth() }
    }

    // MARK: Health

    private func checkHealth() {
        guard let connection else { return }
        let bound = NIOLoopBound((self, connection), eventLoop: connectionLoop.eventLoop)
        connection.healthCheck().whenSuccess { health in
            let (link, connection) = bound.value
            // A failed check says nothing that the link's own PINGs do not say.
            guard link.connection === connection else { return }
            if health.isHealthy { link.isHealthy() } else { link.isUnhealthy(health.message) }
        }
    }

    private func isHealthy() {
        backoff = Self.backoffInitial
        setUp(true)
    }

    /// A worker that drains says so and ends its requests itself; one that says nothing of the kind
    /// will not.
    private func isUnhealthy(_ reason: String) {
        guard let connection else { return }
        if isUp {
            connectionLoop.core.logger.warning(
                "worker is unhealthy",
                metadata: ["worker": "\(id.number)", "reason": "\(reason)"])
        }
        setUp(false)
        let bound = NIOLoopBound((self, connection), eventLoop: connectionLoop.eventLoop)
        connection.serverInfo().whenSuccess { server in
            let (link, connection) = bound.value
            guard link.connection === connection, !server.isPaused else { return }
            connection.close()
            link.lost()
        }
    }

    private func setUp(_ isUp: Bool) {
        guard isUp != self.isUp else { return }
        self.isUp = isUp
        report(isUp ? .up(slots: slots, started: started) : .down)
    }

    private func stopChecking() {
        healthTimer?.cancel()
        healthTimer = nil
        reports?.stop()
        reports = nil
    }

    private func failed(_ reason: String) {
        // Once for each cause, not at every attempt.
        connectionLoop.core.logger.log(
            level: reason == lastFailure ? .debug : .warning, "worker link failed",
            metadata: [
                "worker": "\(id.number)", "endpoint": "\(endpoint.text)", "reason": "\(reason)",
            ])
        lastFailure = reason
        reconnectLater()
    }

    private func lost() {
        stopChecking()
        connection = nil
        guard !isClosed else { return }
        setUp(false)
        reconnectLater()
    }

    private func reconnectLater() {
        // A refused introduction fails and then closes its connection: one attempt follows.
        guard !isClosed, !isReconnecting else { return }
        isReconnecting = true
        let delay = backoff
        backoff = min(backoff + backoff, Self.backoffMaximum)
        let bound = NIOLoopBound(self, eventLoop: connectionLoop.eventLoop)
        connectionLoop.eventLoop.scheduleTask(in: delay) { bound.value.connect() }
    }

    private func report(_ report: LinkReport) {
        let (id, index) = (id, connectionLoop.index)
        pool.dispatcher.perform { $0.report(report, of: id, from: index) }
    }
}
