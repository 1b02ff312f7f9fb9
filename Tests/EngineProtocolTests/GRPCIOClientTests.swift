import Foundation
import Testing

/// A stock grpcio client against our server.
@Suite(
    .enabled(
        if: PythonProcess.interpreter != nil,
        "SWITCHYARD_TEST_PYTHON names no Python with grpcio; `make test` does"))
struct GRPCIOClientTests {
    @Test(.timeLimit(.minutes(3)))
    func everyScenarioPassesOverTCP() async throws {
        let server = try await InteropServer.start()
        try await Self.run(server, target: "127.0.0.1:\(server.port)")
    }

    @Test(.timeLimit(.minutes(3)))
    func everyScenarioPassesOverAUnixSocket() async throws {
        let path = FileManager.default.temporaryDirectory
            .appendingPathComponent("grpcio-\(UInt32.random(in: 0...(.max))).sock").path
        let server = try await InteropServer.start(.unix(path: path))
        try await Self.run(server, target: "unix:\(path)")
    }

    static func run(_ server: InteropServer, target: String) async throws {
        let client = try PythonProcess("engine_client.py", [target])
        try await eventually("the client's end", seconds: 150) { client.hasEnded }
        let lines = client.lines
        #expect(
            lines.filter { $0.hasPrefix("ok ") }.count == 22, "\(lines.joined(separator: "\n"))")
        #expect(lines.last == "done" && !lines.contains { $0.hasPrefix("FAILED") })
        let seen = server.service.seen.withLock { $0 }
        #expect(seen.aborted == ["hang-abort", "unknown"])
        #expect(seen.cancelled.contains { $0.id == "hang-cancel" && $0.code == .cancelled })
        // The client resets at its deadline; ours may pass first.
        #expect(
            seen.cancelled.contains {
                $0.id == "hang-deadline" && [.cancelled, .deadlineExceeded].contains($0.code)
            })
        server.health.close()
        await server.server.close()
    }
}
