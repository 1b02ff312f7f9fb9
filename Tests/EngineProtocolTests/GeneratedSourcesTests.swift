import Foundation
import Testing

/// `scripts/generate-protos.sh` records what it read and wrote.
@Suite struct GeneratedSourcesTests {
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    @Test(arguments: ["EngineProto", "XAIProto"])
    func protosAndGeneratedSourcesBelongTogether(_ target: String) throws {
        let check = Process()
        check.executableURL = URL(fileURLWithPath: "/usr/bin/sha256sum")
        check.arguments = ["--check", "--strict", "protocols/\(target).sha256"]
        check.currentDirectoryURL = Self.root
        let output = Pipe()
        check.standardOutput = output
        check.standardError = output
        try check.run()
        let said = output.fileHandleForReading.readDataToEndOfFile()
        check.waitUntilExit()
        #expect(
            check.terminationStatus == 0,
            "run scripts/generate-protos.sh: \(String(decoding: said, as: UTF8.self))")
    }

    @Test(arguments: [
        ("EngineProto", ["protocols/vllm"]),
        ("XAIProto", ["protocols/xai/api/v1", "protocols/google/rpc", "protocols/grpc"]),
    ])
    func everyProtoIsListed(_ target: String, _ folders: [String]) throws {
        let list = try String(
            contentsOf: Self.root.appendingPathComponent("protocols/\(target).sha256"),
            encoding: .utf8)
        for folder in folders + ["Sources/\(target)"] {
            let path = Self.root.appendingPathComponent(folder).path
            for name in try FileManager.default.contentsOfDirectory(atPath: path) {
                #expect(list.contains("  \(folder)/\(name)\n"))
            }
        }
    }
}
