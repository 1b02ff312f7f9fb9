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

    /// The worker's first life ended before it was ready, with a status that says a person must
    /// act (a missing model, a refused setting): restarting would not help.
    struct CannotStart: Error, CustomStringConvertible {
        let status: Int32
        var description: String { "a worker could not start (exit status \(status))" }
    }

    private let index: Int
    private let commandLine: WorkerCommandLine
    private let dispatcher: DispatcherHandle
    private let logger: Logger
    private var process: WorkerProcess?
    private var isStopping = false
    private(set) var restarts = 0

    init(
        index: Int, commandLine: WorkerCommandLine, dispatcher: DispatcherHandle, logger: Logger
    ) {
        self.index = index
        self.commandLine = commandLine
        self.dispatcher = dispatcher
        self.logger = logger
    }

    var processIdentifier: Int32? { process?.processIdentifier }

    /// Runs until `stop`. Throws when the worker cannot start at all.
    func run() async throws {
        var backoff = Self.backoffInitial
        var wasEverReady = false
        var life = 0
        while !isStopping {
            let outcome = try await runOnce(life: life)
            life += 1
            guard !isStopping else { break }
            restarts += 1
            if outcome.wasReady {
                wasEverReady = true
                backoff = Self.backoffInitial
                continue
            }
            if !wasEverReady, Self.needsAPerson(outcome.status) {
                throw CannotStart(status: outcome.status)
            }
            try await Task.sleep(for: backoff)
            backoff = min(backoff * 2, Self.backoffMaximum)
        }
    }

    /// Drains the worker (SIGTERM) and starts it no more.
    func stop() {
        isStopping = true
        process?.terminate()
    }

    /// Ends the worker at once.
    func kill() {
        isStopping = true
        process?.kill()
    }

    private func runOnce(life: Int) async throws -> (wasReady: Bool, status: Int32) {
        let path = commandLine.listenAddress(worker: index, life: life)
        let process = try WorkerProcess(
            executable: commandLine.executable,
            arguments: ["worker", "--lifeline", "--listen", "unix:\(path)"]
                + commandLine.arguments)
        self.process = process
        logger.info(
            "worker started",
            metadata: ["index": "\(index)", "pid": "\(process.processIdentifier)"])
        defer { unlinkSocket(path) }
        var worker: WorkerID?
        var status: Int32 = 0
        for await progress in process.progress {
            switch progress {
            case .ready:
                worker = try await dispatcher.ask { $0.addWorker(.unix(path: path)) }
            case .exited(let code, let bySignal):
                status = code
                logger.log(
                    level: isStopping ? .info : .error, "worker exited",
                    metadata: [
                        "index": "\(index)", "pid": "\(process.processIdentifier)",
                        bySignal ? "signal" : "status": "\(code)",
                    ])
            }
        }
        if let worker {
            dispatcher.perform { $0.removeWorker(worker) }
        }
        self.process = nil
        return (worker != nil, status)
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
