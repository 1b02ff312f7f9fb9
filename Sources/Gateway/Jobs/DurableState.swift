import EngineProtocol
import Logging
import NIOCore
import NIOPosix
import Storage

/// The storage of a running gateway: its file, the threads that wait for it, and who runs jobs.
/// Opened, started, stopped and closed from the control path, in this order.
final class DurableState: Sendable {
    private static let fileName = "switchyard.sqlite"
    private static let lockName = "jobs.lock"

    private static let journalDirectory = "journals"

    let access: StorageAccess
    let meter: UsageMeter
    private let storage: SQLiteStorage
    private let pool: NIOThreadPool
    private let signals: (stream: AsyncStream<Void>, continuation: AsyncStream<Void>.Continuation)
    private let lockPath: String

    static func filePath(in directory: String) -> String { "\(directory)/\(fileName)" }
    static func lockPath(in directory: String) -> String { "\(directory)/\(lockName)" }

    init(directory: String, _ configuration: GatewayConfiguration, logger: Logger) throws {
        storage = try SQLiteStorage(
            path: Self.filePath(in: directory), limits: configuration.storage,
            synchronous: configuration.storageSynchronous,
            digest: { SHA256.digest(ByteBuffer(bytes: $0)) })
        meter = try UsageMeter(
            directory: "\(directory)/\(Self.journalDirectory)", ledger: storage,
            settings: configuration.metering, logger: logger)
        lockPath = Self.lockPath(in: directory)
        pool = NIOThreadPool(numberOfThreads: StorageAccess.threads)
        pool.start()
        signals = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        let signal = signals.continuation
        access = StorageAccess(storage: storage, pool: pool, wake: { signal.yield() })
    }

    /// - Returns: who runs jobs; its `run` is the caller's to call.
    func start(core: GatewayCore, loops: [ConnectionLoopHandle]) -> JobRunner {
        JobRunner(core: core, access: access, loops: loops, lockPath: lockPath, signals: signals)
    }

    /// No job is begun any more.
    func stop() {
        signals.continuation.finish()
    }

    /// Nothing uses it any more.
    func close() async throws {
        try await meter.close()
        try await pool.shutdownGracefully()
        try storage.close()
    }
}
