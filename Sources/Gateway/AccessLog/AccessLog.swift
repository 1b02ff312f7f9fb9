import Foundation
import Logging
import NIOCore
import Synchronization

/// The access log: a line of JSON for each request, when it has ended.
///
/// Lines are kept in memory and written by the admin loop a few times a second: a slow disk delays
/// probes and metrics, but no stream. Any thread may add a line; a lock guards the buffer.
final class AccessLog: Sendable {
    /// How often lines are written.
    static let interval: TimeAmount = .milliseconds(200)
    /// Bytes that may wait to be written; lines beyond it are dropped and counted.
    static let bufferLimitBytes = 8 << 20

    struct CannotOpen: Error, CustomStringConvertible {
        let path: String
        var description: String { "--access-log: cannot open \(path) for writing" }
    }

    private struct State {
        var lines = ByteBuffer()
        var dropped: UInt64 = 0
    }

    private let handle: FileHandle
    /// Lines go to the end of the file, also when somebody has cut it meanwhile.
    private let seeks: Bool
    private let state = Mutex(State())
    private let logger: Logger

    /// `-` is standard output.
    init(path: String, logger: Logger) throws(CannotOpen) {
        self.logger = logger
        if path == "-" {
            handle = .standardOutput
            seeks = false
            return
        }
        if !FileManager.default.fileExists(atPath: path) {
            // A failure shows when the file is opened.
            _ = FileManager.default.createFile(
                atPath: path, contents: nil, attributes: [.posixPermissions: 0o640])
        }
        guard let handle = FileHandle(forWritingAtPath: path) else {
            throw CannotOpen(path: path)
        }
        self.handle = handle
        seeks = true
    }

    func add(_ record: AccessRecord) {
        state.withLock { state in
            guard state.lines.readableBytes < Self.bufferLimitBytes else {
                state.dropped += 1
                return
            }
            record.write(into: &state.lines)
        }
    }

    /// Lines that were dropped because the file could not keep up.
    var droppedLines: UInt64 { state.withLock { $0.dropped } }

    /// Writes what waits. Not on a connection loop.
    func flush() {
        let lines = state.withLock { state in
            defer { state.lines.clear() }
            return state.lines
        }
        guard lines.readableBytes > 0 else { return }
        do {
            if seeks { try handle.seekToEnd() }
            try handle.write(contentsOf: Data(lines.readableBytesView))
        } catch {
            logger.error("the access log cannot be written", metadata: ["reason": "\(error)"])
        }
    }
}
