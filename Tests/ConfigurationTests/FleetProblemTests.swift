import HTTPTransport
import Testing

@testable import Configuration

/// What can be wrong with a file whose keys are all right for themselves.
@Suite struct FleetProblemTests {
    private let folder: Folder

    init() throws { folder = try Folder() }

    private func expect(
        _ problems: [String], of yaml: String, command: SettingsCommand = .serve,
        flags: [String: [String]] = [:], environment: [String: String] = [:],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let found = try folder.problems(
            yaml, command: command, flags: flags, environment: environment)
        #expect(found == problems, sourceLocation: sourceLocation)
    }

    @Test func namesAreUniqueOverModelsAliasesAndSplits() throws {
        try expect(
            [
                "s.yaml:2:25: name \"a\" is there already, in line 2",
                "s.yaml:3:12: name \"b\" is there already, in line 2",
                "s.yaml:5:3: name \"b\" is there already, in line 2",
                "s.yaml:8:12: pool \"p\" is there already, in line 7",
            ],
            of: """
                models:
                  - {name: a, aliases: [a, b], path: m.gguf}
                  - {name: b}
                splits:
                  b: {a: 1}
                pools:
                  - {name: p, model: a}
                  - {name: p, model: b, kind: openai, workers: [{address: "http://127.0.0.1:1"}]}
                """)
    }

    @Test func modelsAndPoolsFitTogether() throws {
        try expect(
            [
                "s.yaml:3:5: model \"b\" has no pool",
                "s.yaml:6:22: there is no model \"aa\"; did you mean \"a\"?",
                "s.yaml:8:22: model \"a\" has a pool already, in line 7",
                "s.yaml:9:22: model \"c\" has no path, which a pool of kind engine needs",
            ],
            of: """
                models:
                  - {name: a, path: m.gguf}
                  - {name: b, path: m.gguf}
                  - name: c
                pools:
                  - {name: p, model: aa}
                  - {name: q, model: a}
                  - {name: r, model: a}
                  - {name: s, model: c}
                """)
    }

    @Test func splitsNameModels() throws {
        try expect(
            [
                "s.yaml:4:17: there is no model \"v3\"; did you mean \"v1\"?",
                "s.yaml:4:28: share: expected an integer from 1 to 1000000, not \"-1\"",
                "s.yaml:5:3: split \"none\" has no shares",
            ],
            of: """
                models:
                  - {name: v1, path: m.gguf}
                splits:
                  both: {v1: 9, v3: 1, v2: -1}
                  none: {}
                pools:
                  - {name: p, model: v1}
                """)
    }

    @Test func kindsOfPools() throws {
        try expect(
            [
                "s.yaml:5:31: a pool of kind openai needs workers or dns",
                "s.yaml:5:39: a pool of kind openai has no supervised workers",
            ],
            of: """
                models:
                  - name: a
                # One that takes text.
                pools:
                  - {name: p, model: a, kind: openai, supervised: {}}
                """)
        try expect(
            ["s.yaml:4:25: only `switchyard serve` has supervised workers"],
            of: """
                models:
                  - {name: a, path: m.gguf}
                pools:
                  - {name: p, model: a, supervised: {}}
                """, command: .gateway)
    }

    @Test func linksToOtherMachinesAreEncrypted() throws {
        let start = "models: [{name: a, path: m.gguf}]\npools:\n  - name: p\n    model: a\n"
        try expect(
            [
                "s.yaml:6:18: the link to 10.0.0.7:9000 would be plaintext: "
                    + "give link: authority, or allow-plaintext",
                "s.yaml:8:18: the link to w.svc:1 would be plaintext: "
                    + "give link: authority, or allow-plaintext",
            ],
            of: start + "    workers:\n      - address: 10.0.0.7:9000\n"
                + "      - address: 127.0.0.1:9000\n    dns: [{name: w.svc, port: 1}]\n")
        try expect(
            [
                "s.yaml:6:20: certificate and key go together",
                "s.yaml:6:20: certificate needs authority",
                "s.yaml:7:19: cannot read nowhere",
            ],
            of: start
                + "    link:\n      certificate: \"x\"\n      token-file: nowhere\n")
        try expect(
            [],
            of: start + "    workers: [{address: \"10.0.0.7:1\"}]\n"
                + "    link: {allow-plaintext: true}\n")
        try expect(
            ["s.yaml:5:47: worker \"unix:/a\" is there already, in line 5"],
            of: start + "    workers: [{address: \"unix:/a\"}, {address: \"unix:/a\"}]\n")
    }

    @Test func filesAreLookedAt() throws {
        try folder.write("short", "abc\n")
        try folder.write("text.gguf", "no model")
        try folder.write("empty", "\n")
        try folder.write("folder/file", "")
        try expect(
            [
                "s.yaml:1:8: text.gguf is not a GGUF file",
                "s.yaml:2:15: short:1: a key has at least 8 bytes",
                "s.yaml:3:19: empty has no key",
            ], of: "model: text.gguf\napi-key-file: short\nadmin-token-file: empty\n")
        try expect(["s.yaml:1:8: cannot read folder"], of: "model: folder\n")
    }

    @Test func certificatesAreParsed() throws {
        _ = try SelfSignedCertificate.files(in: folder.path + "/one")
        _ = try SelfSignedCertificate.files(in: folder.path + "/two")
        func problems(_ certificate: String, _ key: String) throws -> [String] {
            try folder.problems(
                """
                model: m.gguf
                tls-port: 1
                tls-certificate: \(certificate)
                tls-key: \(key)
                """)
        }
        #expect(try problems("one/self-signed.pem", "one/self-signed.key") == [])
        let noChain = try #require(try problems("m.gguf", "one/self-signed.key").first)
        #expect(noChain.hasPrefix("s.yaml:3:18: m.gguf: not a certificate chain"), "\(noChain)")
        let noKey = try #require(try problems("one/self-signed.pem", "m.gguf").first)
        #expect(noKey.hasPrefix("s.yaml:4:10: m.gguf: not a private key"), "\(noKey)")
        let otherKey = try #require(
            try problems("one/self-signed.pem", "two/self-signed.key").first)
        #expect(
            otherKey.hasPrefix(
                "s.yaml:4:10: two/self-signed.key is not the key of one/self-signed.pem"),
            "\(otherKey)")
    }

    @Test func oneModelExcludesModels() throws {
        let fleet = "models: [{name: a, path: m.gguf}]\npools: [{name: p, model: a}]\nslots: 4\n"
        try expect(
            [
                "--model: model is for one model and pool; "
                    + "s.yaml:1 describes models and pools already",
                "SWITCHYARD_WORKERS: workers is for one model and pool; "
                    + "s.yaml:1 describes models and pools already",
                "s.yaml:3:8: slots is for one model and pool; "
                    + "s.yaml:1 describes models and pools already",
            ], of: fleet, flags: ["model": ["m.gguf"]],
            environment: ["SWITCHYARD_WORKERS": "2"])
    }

    @Test func listenersFitTogether() throws {
        let model = "model: m.gguf\n"
        try expect(
            [
                "s.yaml:2:7: host 0.0.0.0 can be reached from other machines: "
                    + "give api-key-file or require-key"
            ],
            of: model + "host: 0.0.0.0\n")
        try expect(
            ["s.yaml:2:11: tls-port needs tls-certificate and tls-key, or tls-self-signed"],
            of: model + "tls-port: 1\n")
        try expect(
            ["s.yaml:2:10: tls-certificate and tls-key go together"],
            of: model + "tls-key: k\n")
        try expect(
            [
                "s.yaml:2:11: data-dir /\(String(repeating: "d", count: 90)) "
                    + "is 17 bytes too long for unix sockets"
            ],
            of: model + "data-dir: /\(String(repeating: "d", count: 90))\n")
    }
}
