import Foundation
import HTTPTransport
import InferenceTypes
import Logging

/// Keeps one worker process running: starts it, announces it to the dispatcher when it can serve,
/// withdraws it when it dies, and starts it again. The first restart is immediate; the supervisor
/// waits only when a worker died before it was ready.
actor WorkerSupervisor {
    /// The wait after a worker that died before it was ready; doubles to the maximum.
    static let backoffInitial: Duration = .milliseconds(250)
    static let backoffMaximum: Duration = .seconds(10)
    /// How long a worker may take to exit after SIGTERM before it gets SIGKILL. Its streams have
    /// ended when it is stopped, so all it waits for is the engine's step in hand.
    static let exitLimit: Duration = .seconds(5)

    /// The worker's first life ended before it was ready, with a status that says a person must
    /// act (a missing model, a refused setting): restarting would not help.
    struct CannotStart: Error, CustomStringConvertible {
        let status: Int32
        var description: String { "a worker could not start (exit status \(status))" }
    }

    private let index: Int
    private let pool: Int
    private let commandLine: WorkerCommandLine
    private let weight: Double
    private let dispatcher: DispatcherHandle
    /// Nil: its journal, if it has one, is nobody's business.
    private let meter: UsageMeter?
    private let logger: Logger
    private let backoffInitial: Duration
    private let exitLimit: Duration
    private var process: WorkerProcess?
    /// The dispatcher's id of the worker's present life; nil while it cannot serve.
    private(set) var worker: WorkerID?
    /// The wait before a restart, while there is one.
    private var restartDelay: Task<Void, Never>?
    private var isRunning = false
    private var isStopping = false
    /// Callers of `stop` that wait for `run` to return.
    private var stopWaiters: [CheckedContinuation<Void, Never>] = []
    private(set) var restarts = 0

    init(
        index: Int, pool: Int = 0, commandLine: WorkerCommandLine, weight: Double = 1,
        dispatcher: DispatcherHandle, meter: UsageMeter? = nil, logger: Logger,
        backoffInitial: Duration = backoffInitial, exitLimit: Duration = exitLimit
    ) {
        self.index = index
        self.pool = pool
        self.commandLine = commandLine
        self.weight = weight
        self.dispatcher = dispatcher
        self.meter = meter
        self.logger = logger
        self.backoffInitial = backoffInitial
        self.exitLimit = exitLimit
    }

    var processIdentifier: Int32? { process?.processIdentifier }

    var status: WorkerProcessStatus {
        WorkerProcessStatus(index: index, pid: processIdentifier, restarts: restarts)
    }

    /// Ends the present life (SIGTERM); the next one begins at once.
    func restart() {
        process?.terminate()
    }

    /// Runs until `stop`. Throws when the worker cannot start at all. To be called once.
    func run() async throws {
        isRunning = true
        defer { ended() }
        var backoff = backoffInitial
        var wasEverReady = false
        var life = 0
        while !isStopping {
            let outcome = try await runOnce(life: life)
            life += 1
            guard !isStopping else { break }
            restarts += 1
            if outcome.wasReady {
                wasEverReady = true
                backoff = backoffInitial
                continue
            }
            if !wasEverReady, Self.needsAPerson(outcome.status) {
                throw CannotStart(status: outcome.status)
            }
            await sleep(backoff)
            backoff = min(backoff * 2, Self.backoffMaximum)
        }
    }

    /// Ends the worker (SIGTERM, and SIGKILL after the exit limit) and starts it no more. Returns
    /// when its process has exited and the dispatcher has been told; from then on this supervisor
    /// uses no event loop.
    func stop() async {
        isStopping = true
        restartDelay?.cancel()
        guard isRunning else { return }
        process?.terminate()
        let limit = Task {
            try await Task.sleep(for: exitLimit)
            killLateWorker()
        }
        await withCheckedContinuation { stopWaiters.append($0) }
        limit.cancel()
    }

    private func ended() {
        isRunning = false
        for waiter in stopWaiters { waiter.resume() }
        stopWaiters = []
    }

    private func killLateWorker() {
        guard let process else { return }
        logger.warning(
            "worker is killed: it did not exit in time",
            metadata: [
                "index": "\(index)", "pid": "\(process.processIdentifier)",
                "limit": "\(exitLimit)",
            ])
        process.kill()
    }

    /// Sleeps, or returns at once when `stop` is called.
    private func sleep(_ duration: Duration) async {
        let delay = Task<Void, Never> {
            // Cancelled by `stop`: then there is nothing left to wait for.
            try? await Task.sleep(for: duration)
        }
        restartDelay = delay
        await delay.value
        restartDelay = nil
    }

    private func runOnce(life: Int) async throws -> (wasReady: Bool, status: Int32) {
        let path = commandLine.listenAddress(pool: pool, worker: index, life: life)
        let endpoint = HTTPEndpoint.unix(path: path).text
        var arguments = ["worker", "--lifeline", "--listen", endpoint]
        let journal = commandLine.journal(pool: pool, worker: index, life: life)
        if let journal {
            arguments += ["--journal", journal]
            meter?.journalOpened(endpoint, path: journal)
        }
        defer { if journal != nil { meter?.journalClosed(endpoint) } }
        let process = try WorkerProcess(
            executable: commandLine.executable,
            arguments: arguments + commandLine.arguments(worker: index))
        self.process = process
        logger.info(
            "worker started",
            metadata: ["index": "\(index)", "pid": "\(process.processIdentifier)"])
        defer { unlinkSocket(path) }
        worker = nil
        var wasReady = false
        var status: Int32 = 0
        for await progress in process.progress {
            switch progress {
            case .ready:
                // A worker that becomes ready while it is being stopped takes no requests.
                guard !isStopping else { continue }
                wasReady = true
                worker = try await dispatcher.ask { [weight] in
                    $0.addWorker(.unix(path: path), weight: weight)
                }
            case .exited(let code, let bySignal):
                status = code
                let isOrderly = isStopping || (code == 0 && !bySignal)
                logger.log(
                    level: isOrderly ? .info : .error, "worker exited",
                    metadata: [
                        "index": "\(index)", "pid": "\(process.processIdentifier)",
                        bySignal ? "signal" : "status": "\(code)",
                    ])
            }
        }
        if let worker {
            dispatcher.perform { $0.removeWorker(worker) }
        }
        worker = nil
        self.process = nil
        return (wasReady, status)
    }

    /// Usage, input and configuration errors, after sysexits.h.
    private static func needsAPerson(_ status: Int32) -> Bool {
        [64, 66, 69, 78].contains(status)
    }

    private nonisolated func unlinkSocket(_ path: String) {
        // A worker that was killed leaves its socket file; one that exited has removed it, and then
        // there is nothing to report.
        try? FileManager.default.removeItem(atPath: path)
    }
}
