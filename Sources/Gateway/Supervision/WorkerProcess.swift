import Foundation
import Synchronization

/// One life of one worker process.
///
/// Its stdin is a pipe that only this process writes to, and nobody ever does: when the gateway
/// dies, however it dies, the worker reads the end of the file and leaves. Its stdout carries one
/// line of JSON once it can serve; stderr is inherited.
final class WorkerProcess: Sendable {
    enum Progress: Sendable {
        case ready(line: String)
        case exited(status: Int32, bySignal: Bool)
    }

    struct LaunchFailed: Error, CustomStringConvertible {
        let path: String
        let reason: String
        var description: String { "cannot start \(path): \(reason)" }
    }

    /// Longest ready line, in bytes; more is not a worker of ours.
    private static let readyLineLimitBytes = 65_536

    let processIdentifier: Int32
    /// `.ready` at most once, then `.exited` exactly once, then the end.
    let progress: AsyncStream<Progress>
    // Foundation's Process is not Sendable; after launch only `terminate` (a kill by id) is used,
    // under the lock.
    private let process: Mutex<ProcessBox>

    private struct ProcessBox: ~Copyable {
        let process: Process
        let lifeline: Pipe
    }

    init(executable: String, arguments: [String]) throws(LaunchFailed) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = arguments
        // What the gateway was told by variables is not meant for its workers, whose flags have
        // twins of the same names.
        process.environment = ProcessInfo.processInfo.environment.filter {
            !$0.key.hasPrefix("SWITCHYARD_")
        }
        let lifeline = Pipe()
        let output = Pipe()
        process.standardInput = lifeline
        process.standardOutput = output
        let (progress, continuation) = AsyncStream<Progress>.makeStream()

        process.terminationHandler = { process in
            continuation.yield(
                .exited(
                    status: process.terminationStatus,
                    bySignal: process.terminationReason == .uncaughtSignal))
            continuation.finish()
        }
        do {
            try process.run()
        } catch {
            throw LaunchFailed(path: executable, reason: "\(error)")
        }
        Self.read(output.fileHandleForReading, continuation)
        self.processIdentifier = process.processIdentifier
        self.progress = progress
        self.process = Mutex(ProcessBox(process: process, lifeline: lifeline))
    }

    /// Foundation keeps pipes whose process has ended open.
    deinit {
        process.withLock { try? $0.lifeline.fileHandleForWriting.close() }
    }

    /// Reads stdout to its end, on a thread of its own, and closes it. No `readabilityHandler`: its
    /// dispatch source may still be in use when the descriptor is closed, which ended the gateway.
    private static func read(
        _ output: FileHandle, _ continuation: AsyncStream<Progress>.Continuation
    ) {
        let thread = Thread {
            var line: [UInt8] = []
            var isDone = false
            while case let data = output.availableData, !data.isEmpty {
                guard !isDone else { continue }
                line += data.prefix(readyLineLimitBytes - line.count)
                guard let end = line.firstIndex(of: UInt8(ascii: "\n")) else { continue }
                isDone = true
                continuation.yield(.ready(line: String(decoding: line[..<end], as: UTF8.self)))
            }
            try? output.close()
        }
        thread.stackSize = 256 << 10
        thread.start()
    }

    /// Asks the worker to drain (SIGTERM).
    func terminate() {
        process.withLock { $0.process.terminate() }
    }

    /// Ends the worker at once (SIGKILL).
    func kill() {
        process.withLock { box in
            guard box.process.isRunning else { return }
            _ = Foundation.kill(processIdentifier, SIGKILL)
        }
    }
}
