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
final class WorkerLink {
    private static let backoffInitial: TimeAmount = .milliseconds(50)
    private static let backoffMaximum: TimeAmount = .seconds(2)

    let id: WorkerID
    let endpoint: HTTPEndpoint
    /// Set while calls may be made.
    private(set) var connection: EngineConnection?

    private unowned let connectionLoop: ConnectionLoop
    private var backoff = WorkerLink.backoffInitial
    private var isClosed = false
    private var isReconnecting = false

    init(id: WorkerID, endpoint: HTTPEndpoint, connectionLoop: ConnectionLoop) {
        self.id = id
        self.endpoint = endpoint
        self.connectionLoop = connectionLoop
    }

    func connect() {
        guard !isClosed else { return }
        isReconnecting = false
        let bound = NIOLoopBound(self, eventLoop: connectionLoop.eventLoop)
        EngineConnection.connect(
            to: endpoint, on: connectionLoop.eventLoop,
            configuration: connectionLoop.core.engineConfiguration
        ).whenComplete { result in
            switch result {
            case .success(let connection): bound.value.connected(connection.value)
            case .failure(let error): bound.value.failed("\(error)")
            }
        }
    }

    func close() {
        isClosed = true
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
        if let reason = connectionLoop.core.model.mismatch(with: model) {
            connectionLoop.core.logger.error(
                "worker serves another model",
                metadata: ["worker": "\(id.number)", "reason": "\(reason)"])
            return connection.close()
        }
        backoff = Self.backoffInitial
        self.connection = connection
        report(.up(slots: max(1, server.slots)))
    }

    private func failed(_ reason: String) {
        connectionLoop.core.logger.debug(
            "worker link failed", metadata: ["worker": "\(id.number)", "reason": "\(reason)"])
        reconnectLater()
    }

    private func lost() {
        let wasOpen = connection != nil
        connection = nil
        guard !isClosed else { return }
        if wasOpen { report(.down) }
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
        connectionLoop.dispatcher.perform { $0.report(report, of: id, from: index) }
    }
}
