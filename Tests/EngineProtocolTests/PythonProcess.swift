import Foundation
import Synchronization

/// A script of `Python/` with the interpreter that has grpcio.
final class PythonProcess: Sendable {
    /// `SWITCHYARD_TEST_PYTHON`, or the environment that `make test` creates.
    static let interpreter: String? = {
        let environment = ProcessInfo.processInfo.environment
        if let path = environment["SWITCHYARD_TEST_PYTHON"], !path.isEmpty { return path }
        if let clients = environment["SWITCHYARD_CLIENTS"], !clients.isEmpty {
            return clients + "/bin/python"
        }
        return nil
    }()

    private struct State {
        var bytes: [UInt8] = []
        var lines: [String] = []
        var ended = false
    }

    private let process = Process()
    private let input = Pipe()
    private let state = Mutex(State())

    init(_ script: String, _ arguments: [String] = []) throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("Python")
        process.executableURL = URL(fileURLWithPath: Self.interpreter ?? "/nonexistent")
        process.arguments = [folder.appendingPathComponent(script).path] + arguments
        process.environment = ProcessInfo.processInfo.environment.merging(
            // grpcio would otherwise send loopback traffic to a proxy, and write caches here.
            ["no_proxy": "*", "PYTHONDONTWRITEBYTECODE": "1", "GRPC_VERBOSITY": "NONE"]
        ) { _, new in new }
        let output = Pipe()
        process.standardOutput = output
        process.standardInput = input
        output.fileHandleForReading.readabilityHandler = { [weak self] handle in
            let data = handle.availableData
            if data.isEmpty { handle.readabilityHandler = nil }
            self?.received(data)
        }
        try process.run()
    }

    deinit {
        if process.isRunning { process.terminate() }
    }

    private func received(_ data: Data) {
        state.withLock { state in
            guard !data.isEmpty else {
                state.ended = true
                return
            }
            state.bytes += data
            while let end = state.bytes.firstIndex(of: UInt8(ascii: "\n")) {
                state.lines.append(String(decoding: state.bytes[..<end], as: UTF8.self))
                state.bytes.removeSubrange(...end)
            }
        }
    }

    var lines: [String] { state.withLock { $0.lines } }
    var hasEnded: Bool { state.withLock { $0.ended } }

    /// Lets a script that reads its input to the end come to its own.
    func closeInput() { try? input.fileHandleForWriting.close() }

    func terminate() { process.terminate() }

    /// The facts of the first line (a JSON object) that has `key`.
    func facts(with key: String, where matches: @Sendable ([String: Any]) -> Bool = { _ in true })
        async throws -> [String: Any]
    {
        try await eventually("a line with \(key): \(lines)", seconds: 30) {
            self.find(key, matches) != nil || self.hasEnded
        }
        guard let found = find(key, matches) else { throw TimedOut(what: key) }
        return found
    }

    private func find(_ key: String, _ matches: ([String: Any]) -> Bool) -> [String: Any]? {
        for line in lines {
            guard
                let facts = try? JSONSerialization.jsonObject(with: Data(line.utf8))
                    as? [String: Any],
                facts[key] != nil, matches(facts)
            else { continue }
            return facts
        }
        return nil
    }
}
