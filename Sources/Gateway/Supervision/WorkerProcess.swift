import Foundation

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

    /// `.ready` at most once, then `.exited` exactly once, then the end.
    let progress: AsyncStream<Progress>
    private let child: ChildProcess

    init(executable: String, arguments: [String]) throws(LaunchFailed) {
        do {
            child = try ChildProcess(
                executable: executable, arguments: arguments,
                // What the gateway was told by variables is not meant for its workers, whose flags
                // have twins of the same names.
                environment: ProcessInfo.processInfo.environment.filter {
                    !$0.key.hasPrefix("SWITCHYARD_")
                })
        } catch {
            throw LaunchFailed(path: executable, reason: "\(error)")
        }
        let (progress, continuation) = AsyncStream<Progress>.makeStream()
        self.progress = progress
        Self.follow(child, continuation)
    }

    var processIdentifier: Int32 { child.processIdentifier }

    /// On two threads, which end with the worker: one reads its stdout to the end, and one waits
    /// for it, as a child of the worker may keep stdout open.
    private static func follow(
        _ child: ChildProcess, _ continuation: AsyncStream<Progress>.Continuation
    ) {
        start {
            var line: [UInt8] = []
            var isDone = false
            while case let bytes = child.read(), !bytes.isEmpty {
                guard !isDone else { continue }
                line += bytes.prefix(readyLineLimitBytes - line.count)
                guard let end = line.firstIndex(of: UInt8(ascii: "\n")) else { continue }
                isDone = true
                continuation.yield(.ready(line: String(decoding: line[..<end], as: UTF8.self)))
            }
        }
        start {
            switch child.wait() {
            case .status(let status):
                continuation.yield(.exited(status: status, bySignal: false))
            case .signal(let signal):
                continuation.yield(.exited(status: signal, bySignal: true))
            }
            continuation.finish()
        }
    }

    private static func start(_ body: @escaping @Sendable () -> Void) {
        let thread = Thread(block: body)
        thread.stackSize = 256 << 10
        thread.start()
    }

    /// Asks the worker to drain (SIGTERM).
    func terminate() {
        child.send(SIGTERM)
    }

    /// Ends the worker at once (SIGKILL).
    func kill() {
        child.send(SIGKILL)
    }
}
