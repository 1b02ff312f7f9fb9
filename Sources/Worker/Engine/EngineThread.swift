import InferenceTypes
import NIOPosix
import Scheduling
import Tokenization

/// Runs an engine's loop on a thread of its own.
///
/// The engine is made on that thread and never leaves it. Owned by the control path.
struct EngineThread: Sendable {
    /// What the rest of the worker must know of an engine that is up.
    struct Description: Sendable {
        var properties: EngineProperties
        var scheduling: SchedulerConfiguration
        var model: ModelDescription
        /// The tokens' bytes, for stop strings; nil where tokens are no text.
        var pieces: PieceTable?
        /// Nil: it makes no embeddings.
        var embedding: EmbeddingProperties?
    }

    /// What connects the thread with the rest of the worker.
    struct Wiring: Sendable {
        var mailbox: EngineMailbox
        var ports: [StepOutputPort]
        var metrics: WorkerMetrics
        var cacheLog: CacheLog
        /// Nil: none is kept.
        var journal: JournalFiles?
        var now: @Sendable () -> Instant
    }

    /// An engine and what to know of it.
    struct Setup<E: TimedEngine & ~Copyable>: ~Copyable {
        var engine: E
        var scheduling: SchedulerConfiguration
        var model: ModelDescription
        var pieces: PieceTable?
    }

    let description: Description
    /// Success when the thread was told to stop, failure when the engine broke.
    let ended: OneTime<Result<EngineReport, WorkerError>>
    private let pool: NIOThreadPool

    /// Returns when the engine is made and its loop runs; throws `WorkerError` when it cannot be.
    static func start<E: TimedEngine & ~Copyable & SendableMetatype>(
        wiring: Wiring,
        make: @escaping @Sendable () throws(WorkerError) -> Setup<E>
    ) async throws(WorkerError) -> EngineThread {
        let pool = NIOThreadPool(numberOfThreads: 1)
        pool.start()
        let ready = OneTime<Result<Description, WorkerError>>()
        let ended = OneTime<Result<EngineReport, WorkerError>>()
        pool.submit { _ in
            do throws(WorkerError) {
                let loop = try Self.makeLoop(wiring, make: make, ready: ready)
                ended.finish(Self.run(loop))
            } catch {
                ready.finish(.failure(error))
            }
        }
        switch await ready.wait() {
        case .success(let description):
            return EngineThread(description: description, ended: ended, pool: pool)
        case .failure(let error):
            await join(pool)
            throw error
        }
    }

    /// To be called when the thread was told to stop, or broke: returns when it has ended.
    func join() async {
        await Self.join(pool)
    }

    private static func join(_ pool: NIOThreadPool) async {
        do {
            try await pool.shutdownGracefully()
        } catch {
            preconditionFailure("the engine's thread was ended twice: \(error)")
        }
    }

    private static func makeLoop<E: TimedEngine & ~Copyable & SendableMetatype>(
        _ wiring: Wiring, make: @Sendable () throws(WorkerError) -> Setup<E>,
        ready: OneTime<Result<Description, WorkerError>>
    ) throws(WorkerError) -> EngineLoop<E> {
        let setup = try make()
        let description = Description(
            properties: setup.engine.properties, scheduling: setup.scheduling, model: setup.model,
            pieces: setup.pieces, embedding: setup.engine.embedding)
        let scheduler: Scheduler
        do throws(SchedulerConfigurationError) {
            scheduler = try Scheduler(
                configuration: setup.scheduling, engine: setup.engine.properties)
        } catch {
            throw .setting(name: error.setting, value: error.value, allowed: error.allowed)
        }
        ready.finish(.success(description))
        return EngineLoop(
            engine: setup.engine, scheduler: scheduler, mailbox: wiring.mailbox,
            ports: wiring.ports, metrics: wiring.metrics, cacheLog: wiring.cacheLog,
            journal: wiring.journal.map { WorkerJournal(files: $0, model: description.model.name) },
            now: wiring.now)
    }

    private static func run<E: TimedEngine & ~Copyable>(
        _ loop: consuming EngineLoop<E>
    ) -> Result<EngineReport, WorkerError> {
        var loop = loop
        do throws(EngineError) {
            return .success(try loop.run())
        } catch {
            switch error {
            case .failed(let code, let message):
                return .failure(.engine(code: code, message: message))
            case .noCacheSpace: return .failure(.engine(code: 1, message: "no cache space"))
            }
        }
    }
}

/// What a worker tells others about its model.
struct ModelDescription: Hashable, Sendable {
    var name: String
    /// The file, or what stands for it.
    var path: String
    /// The model's family, such as `llama`.
    var architecture: String
    /// Where the engine runs, for logs: "CPU, 2 threads".
    var device: String
}
