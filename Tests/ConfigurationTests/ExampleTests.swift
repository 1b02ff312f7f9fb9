import Foundation
import Gateway
import HTTPTransport
import Testing

@testable import Configuration

/// `deploy/switchyard.yaml.example`, as it is and with all that is commented out.
@Suite struct ExampleTests {
    private let folder: Folder

    init() throws {
        folder = try Folder()
        for name in ["SmolLM2-135M-Instruct-Q4_0", "next", "big-vocabulary"] {
            try folder.write("models/\(name).gguf", "GGUF")
        }
        for name in ["keys", "admin-tokens", "worker-token"] {
            try folder.write(name, "a-long-enough-key\n")
        }
        try folder.write("templates/next.jinja", "{{ messages }}")
        let pair = try SelfSignedCertificate.files(in: "\(folder.path)/tls")
        for (from, to) in [
            (pair.certificateChainPath, "chain.pem"), (pair.certificateChainPath, "workers.pem"),
            (pair.privateKeyPath, "key.pem"),
        ] {
            try FileManager.default.copyItem(atPath: from, toPath: "\(folder.path)/tls/\(to)")
        }
    }

    /// The example, with its folders moved into the test's.
    private func example(complete: Bool) throws -> String {
        let text = try String(
            contentsOf: Repository.root.appendingPathComponent("deploy/switchyard.yaml.example"),
            encoding: .utf8)
        // "# text" is prose; "#key", and "#  - key" in a list, are commented out.
        let lines = text.components(separatedBy: "\n").map { line in
            let isProse = line.hasPrefix("# ") && !line.hasPrefix("#  ")
            return complete && line.hasPrefix("#") && !isProse ? String(line.dropFirst()) : line
        }
        return lines.joined(separator: "\n")
            .replacingOccurrences(of: "/usr/lib/switchyard", with: folder.path)
    }

    @Test func isRight() throws {
        let configuration = try folder.source(yaml: example(complete: false)).check()
            .configuration
        #expect(configuration.models.map(\.name) == ["smollm2"])
        #expect(configuration.models[0].aliases == ["default"])
        #expect(configuration.apiKeyFile == "\(folder.path)/keys")
        let supervised = try #require(configuration.pools[0].supervised)
        #expect(supervised.count == 1)
        #expect(
            supervised.commandLine.arguments == [
                "--engine", "llama", "--slots", "16", "--threads", "3", "--drain-seconds", "30",
            ])
    }

    @Test func isRightWithAllThatIsCommentedOut() throws {
        let configuration = try folder.source(yaml: example(complete: true)).check()
            .configuration
        #expect(configuration.tls?.port == 8_443)
        #expect(configuration.accessLogPath == "/var/log/switchyard/access.log")
        #expect(
            configuration.models.map(\.name) == ["smollm2", "smollm2-next", "big", "upstream"])
        #expect(configuration.models[1].templatePath == "\(folder.path)/templates/next.jinja")
        #expect(configuration.models[3].path == nil)
        #expect(
            configuration.splits == [
                ModelSplit(
                    name: "smollm",
                    shares: [
                        .init(model: "smollm2", weight: 90),
                        .init(model: "smollm2-next", weight: 10),
                    ])
            ])
        let next = try #require(configuration.pools[1].supervised)
        #expect(next.count == 2)
        #expect(next.weight == 0.5)
        #expect(next.commandLine.devices == ["cpu"])
        #expect(
            next.commandLine.arguments == [
                "--engine", "llama", "--slots", "4", "--threads", "1",
                "--context", "16384", "--drain-seconds", "30",
            ])
        var big = PoolSettings(name: "big", model: "big")
        big.workers = [7, 8].map { WorkerSettings(.tcp(host: "10.0.0.\($0)", port: 9_000)) }
        big.workers[0].weight = 2
        big.dns = [DNSSettings(name: "workers.inference.svc", port: 9_000)]
        big.link.authorityPath = "\(folder.path)/tls/workers.pem"
        big.link.certificatePath = "\(folder.path)/tls/chain.pem"
        big.link.keyPath = "\(folder.path)/tls/key.pem"
        big.link.tokenPath = "\(folder.path)/worker-token"
        #expect(configuration.pools[2] == big)
        #expect(configuration.pools[3].kind == .openAI)
        #expect(configuration.pools[3].workers[0].upstream?.text == "http://127.0.0.1:8000")
        #expect(configuration.pools[3].upstream.slots == 64)
    }

    @Test func printedValuesMeanTheSame() throws {
        for complete in [false, true] {
            let first = try folder.source(yaml: example(complete: complete)).check()
            let second = try folder.source(yaml: first.effectiveText).check()
            #expect("\(first.configuration)" == "\(second.configuration)")
            // Nothing but where values came from differs.
            func values(_ loaded: LoadedConfiguration) -> [Substring] {
                loaded.effectiveText.split(separator: "\n").map { $0.prefix { $0 != "#" } }
            }
            #expect(values(first) == values(second))
        }
        let flags = try folder.source(
            flags: [
                "model": ["\(folder.path)/m.gguf"], "model-name": ["yes \"no\" 1"],
                "worker-argument": ["--step-time", "1,2"],
            ]
        ).check()
        let again = try folder.source(yaml: flags.effectiveText).check()
        #expect("\(flags.configuration)" == "\(again.configuration)")
    }
}

enum Repository {
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
}
