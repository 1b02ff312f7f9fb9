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
        let output: Pipe
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

        let line = Mutex<(bytes: [UInt8], isDone: Bool)>(([], false))
        output.fileHandleForReading.readabilityHandler = { handle in
            let data = handle.availableData
            if data.isEmpty {
                handle.readabilityHandler = nil
                return
            }
            let ready: String? = line.withLock { line in
                guard !line.isDone else { return nil }
                line.bytes += data.prefix(Self.readyLineLimitBytes - line.bytes.count)
                guard let end = line.bytes.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
                line.isDone = true
                return String(decoding: line.bytes[..<end], as: UTF8.self)
            }
            if let ready { continuation.yield(.ready(line: ready)) }
        }
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
        self.processIdentifier = process.processIdentifier
        self.progress = progress
        self.process = Mutex(
            ProcessBox(process: process, lifeline: lifeline, output: output))
    }

    /// Foundation keeps pipes whose process has ended open.
    deinit {
        process.withLock { box in
            box.output.fileHandleForReading.readabilityHandler = nil
            try? box.output.fileHandleForReading.close()
            try? box.lifeline.fileHandleForWriting.close()
        }
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
