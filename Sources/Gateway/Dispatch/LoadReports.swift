import EngineProtocol
import GRPC
import InferenceTypes
import Logging
import NIOCore
import Routing

/// Hears what one worker has to do and what its cache holds, and passes it to the dispatcher: by
/// subscription, or by asking again and again where the engine has no events. One for each worker
/// and gateway, on the link of the first connection loop. Owned by that loop.
final class LoadReports: EngineEventReceiver {
    /// How often an engine without events is asked for its load.
    static let pollInterval = TimeAmount.seconds(1)
    /// How long after a subscription's end the next one begins.
    static let retryDelay = TimeAmount.seconds(1)

    private let id: WorkerID
    private let connection: EngineConnection
    private let pool: Pool
    private unowned let connectionLoop: ConnectionLoop
    private var subscription: EngineSubscription?
    /// Of the next batch with events; nil before the first.
    private var nextSequenceNumber: UInt64?
    private var pollTimer: RepeatedTask?
    private var isStopped = false

    init(
        of id: WorkerID, in pool: Pool, on connection: EngineConnection,
        _ connectionLoop: ConnectionLoop
    ) {
        self.id = id
        self.pool = pool
        self.connection = connection
        self.connectionLoop = connectionLoop
    }

    func start() {
        guard !isStopped, connection.isOpen else { return }
        nextSequenceNumber = nil
        do {
            subscription = try connection.subscribe(self)
        } catch {
            subscriptionEnded(error)
        }
    }

    func stop() {
        isStopped = true
        pollTimer?.cancel()
        pollTimer = nil
        subscription?.cancel()
        subscription = nil
    }

    func received(_ batch: EngineEventBatch) {
        guard !isStopped else { return }
        var report = WorkerReport(load: batch.load.map { WorkerLoad($0) })
        if !batch.events.isEmpty || batch.isSnapshot {
            if let next = nextSequenceNumber, next != batch.sequenceNumber, !batch.isSnapshot {
                // Something was lost. The next subscription begins with all there is.
                report.forgetsCache = true
                subscription?.cancel()
                start()
            } else {
                nextSequenceNumber = batch.sequenceNumber &+ 1
                report.events = batch.events
            }
        }
        tell(report)
    }

    func subscriptionEnded(_ status: GRPCStatus) {
        subscription = nil
        guard !isStopped, connection.isOpen else { return }
        let bound = NIOLoopBound(self, eventLoop: connectionLoop.eventLoop)
        guard status.code == .unimplemented else {
            connectionLoop.core.logger.debug(
                "subscription ended",
                metadata: ["worker": "\(id.number)", "status": "\(status)"])
            connectionLoop.eventLoop.scheduleTask(in: Self.retryDelay) { bound.value.start() }
            return
        }
        pollTimer = connectionLoop.eventLoop.scheduleRepeatedTask(
            initialDelay: .zero, delay: Self.pollInterval
        ) { _ in bound.value.poll() }
    }

    private func poll() {
        let bound = NIOLoopBound(self, eventLoop: connectionLoop.eventLoop)
        // An engine that does not know this either is left to what is known without it.
        connection.loads().whenSuccess { loads in
            guard !bound.value.isStopped, !loads.ranks.isEmpty else { return }
            bound.value.tell(WorkerReport(load: WorkerLoad(loads)))
        }
    }

    private func tell(_ report: WorkerReport) {
        guard !report.isEmpty else { return }
        let id = id
        pool.dispatcher.perform { $0.reported(report, of: id) }
    }
}
