import InferenceTypes
import Logging

/// The worker processes of one pool: as many as asked for, each with a supervisor. Their number
/// changes while traffic flows: a new one takes requests when it is ready, one too many is drained
/// before it ends.
actor SupervisedPool {
    /// Most processes of one pool.
    static let countLimit = 256

    private let commandLine: WorkerCommandLine
    /// `Pool.number`.
    private let pool: Int
    /// Of each worker.
    private let weight: Double
    private let dispatcher: DispatcherHandle
    private let meter: UsageMeter?
    private let logger: Logger
    /// By number. Those that are about to end are in `retiring` as well.
    private var supervisors: [Int: WorkerSupervisor] = [:]
    private var retiring: Set<Int> = []
    private var nextIndex = 0
    private var initialCount: Int
    private var isStopping = false
    /// Of `run`, until it returns.
    private var running: CheckedContinuation<Void, any Error>?

    init(
        commandLine: WorkerCommandLine, pool: Int, count: Int, weight: Double = 1,
        dispatcher: DispatcherHandle, meter: UsageMeter? = nil, logger: Logger
    ) {
        self.weight = weight
        self.commandLine = commandLine
        self.pool = pool
        self.dispatcher = dispatcher
        self.meter = meter
        self.logger = logger
        initialCount = count
    }

    /// Keeps the workers running until `stop`. Throws when one of the first ones cannot start at
    /// all; the others are stopped then. To be called once.
    func run() async throws {
        guard !isStopping else { return }
        try await withCheckedThrowingContinuation { continuation in
            running = continuation
            for _ in 0..<initialCount { start() }
        }
    }

    /// Workers that are wanted.
    var count: Int { supervisors.count - retiring.count }

    /// Starts workers, or drains and ends those that came last. Returns at once.
    func scale(to count: Int, drainSeconds: Int) {
        guard !isStopping else { return }
        while self.count < count { start() }
        let active = supervisors.keys.filter { !retiring.contains($0) }.sorted()
        for index in active.dropFirst(count) {
            retiring.insert(index)
            Task { await retire(index, drainSeconds: drainSeconds) }
        }
    }

    /// Drains the process of a worker and starts it anew. False when none of ours has that id.
    func restart(_ worker: WorkerID, drainSeconds: Int) async -> Bool {
        for index in supervisors.keys.sorted() where !retiring.contains(index) {
            guard let supervisor = supervisors[index], await supervisor.worker == worker else {
                continue
            }
            Task {
                await drain(worker, seconds: drainSeconds)
                await supervisor.restart()
            }
            return true
        }
        return false
    }

    /// What each process is, by the id of the worker that it runs; those that run none apart.
    func processes() async -> [(worker: WorkerID?, status: WorkerProcessStatus)] {
        var found: [(worker: WorkerID?, status: WorkerProcessStatus)] = []
        for index in supervisors.keys.sorted() {
            guard let supervisor = supervisors[index] else { continue }
            found.append((await supervisor.worker, await supervisor.status))
        }
        return found
    }

    /// Ends all workers; returns when their processes have exited.
    func stop() async {
        isStopping = true
        await withTaskGroup(of: Void.self) { group in
            for supervisor in supervisors.values {
                group.addTask { await supervisor.stop() }
            }
        }
        running?.resume()
        running = nil
    }

    private func start() {
        let index = nextIndex
        nextIndex += 1
        let supervisor = WorkerSupervisor(
            index: index, pool: pool, commandLine: commandLine, weight: weight,
            dispatcher: dispatcher, meter: meter, logger: logger)
        supervisors[index] = supervisor
        Task {
            do {
                try await supervisor.run()
                ended(index)
            } catch {
                await failed(index, error)
            }
        }
    }

    private func ended(_ index: Int) {
        supervisors[index] = nil
        retiring.remove(index)
    }

    private func failed(_ index: Int, _ error: any Error) async {
        ended(index)
        guard index < initialCount, let running else {
            logger.error("\(error)", metadata: ["index": "\(index)"])
            return
        }
        self.running = nil
        await stop()
        running.resume(throwing: error)
    }

    private func retire(_ index: Int, drainSeconds: Int) async {
        guard let supervisor = supervisors[index] else { return }
        if let worker = await supervisor.worker { await drain(worker, seconds: drainSeconds) }
        await supervisor.stop()
    }

    /// Returns when nothing runs on the worker any more.
    private func drain(_ worker: WorkerID, seconds: Int) async {
        await withCheckedContinuation { done in
            dispatcher.perform { dispatcher in
                let isDraining = dispatcher.drainWorker(worker, seconds: seconds) { done.resume() }
                if !isDraining { done.resume() }
            }
        }
    }
}
