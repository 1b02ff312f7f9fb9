import Testing

@testable import Configuration

/// Each thing that can be wrong with the text of a file, with its place.
@Suite struct FileProblemTests {
    private let folder: Folder
    /// Files that are right, to which lines are added.
    private static let one = "model: m.gguf\n"
    private static let fleet = """
        models:
          - name: a
            path: m.gguf
        pools:
          - name: p
            model: a

        """

    init() throws { folder = try Folder() }

    private func expect(
        _ problems: [String], of yaml: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let found = try folder.problems(yaml)
        #expect(found == problems, sourceLocation: sourceLocation)
    }

    @Test func rightFilesHaveNone() throws {
        try expect([], of: Self.one)
        try expect([], of: Self.fleet)
        try expect([], of: "%YAML 1.1\n---\n" + Self.one)
    }

    @Test func unknownKeys() throws {
        try expect(
            ["s.yaml:2:1: unknown key \"slot\"; did you mean \"slots\"?"],
            of: Self.one + "slot: 3\n")
        try expect(
            ["s.yaml:2:1: unknown key \"frobnicate\""], of: Self.one + "frobnicate: 1\n")
        try expect(
            ["s.yaml:2:1: unknown key \"worker\": it is a setting of `switchyard gateway`"],
            of: Self.one + "worker: [localhost:1]\n")
        try expect(
            ["s.yaml:7:5: unknown key \"supervized\"; did you mean \"supervised\"?"],
            of: Self.fleet + "    supervized: {}\n")
        try expect(
            ["s.yaml:7:18: unknown key \"slot\"; did you mean \"slots\"?"],
            of: Self.fleet + "    supervised: {slot: 3}\n")
        try expect(
            ["s.yaml:9:9: unknown key \"wieght\"; did you mean \"weight\"?"],
            of: Self.fleet + "    workers:\n      - address: unix:/a\n        wieght: 2\n")
        try expect(["s.yaml:2:1: unknown key \"config\""], of: Self.one + "config: x\n")
        try expect(["s.yaml:2:1: unknown key \"<<\""], of: Self.one + "<<: {port: 1}\n")
    }

    @Test func wrongTypes() throws {
        try expect(
            ["s.yaml:2:7: port: expected an integer from 0 to 65535, not \"http\""],
            of: Self.one + "port: http\n")
        try expect(
            ["s.yaml:2:7: port: expected an integer from 0 to 65535, not the text \"80\""],
            of: Self.one + "port: \"80\"\n")
        try expect(
            ["s.yaml:3:3: port: expected an integer from 0 to 65535, not a list"],
            of: Self.one + "port:\n  - 80\n")
        try expect(
            ["s.yaml:2:7: host: expected \(SettingKind.text.expectation), not keys and values"],
            of: Self.one + "host: {a: 1}\n")
        try expect(
            ["s.yaml:2:18: tls-self-signed: expected true or false, not \"yes\""],
            of: Self.one + "tls-self-signed: yes\n")
        try expect(
            ["s.yaml:2:14: model-alias: expected a list, not \"b\""],
            of: Self.one + "model-alias: b\n")
        try expect(
            ["s.yaml:2:14: api-key-file: expected a path, not nothing"],
            of: Self.one + "api-key-file:\n")
        try expect(
            ["s.yaml:2:15: api-key-file: expected a path, not nothing"],
            of: Self.one + "api-key-file: ~\n")
        try expect(
            ["s.yaml:1:1: the file: expected keys and values, not a list"], of: "- a\n")
        try expect(
            [
                "s.yaml:1:1: there are no models",
                "s.yaml:1:9: models: expected a list, not keys and values",
            ], of: "models: {a: 1}\n")
        try expect(["s.yaml:2:1: expected a key, not a list"], of: Self.one + "[a]: 1\n")
    }

    @Test func valuesOutOfRange() throws {
        try expect(
            ["s.yaml:2:14: queue-limit: expected an integer from 1 to 1000000, not \"0\""],
            of: Self.one + "queue-limit: 0\n")
        try expect(
            ["s.yaml:2:22: worker-hang-seconds: expected a number from 0.1 to 3600, not \"0.05\""],
            of: Self.one + "worker-hang-seconds: 0.05\n")
        try expect(
            [
                "s.yaml:2:12: log-level: expected one of debug, info, notice, warning, error, "
                    + "not \"loud\""
            ], of: Self.one + "log-level: loud\n")
        try expect(
            [
                "s.yaml:7:13: policy: expected one of round-robin, least-load, power-of-two, "
                    + "prefix-affinity, cost, not \"best\""
            ], of: Self.fleet + "    policy: best\n")
        try expect(
            ["s.yaml:7:27: workers: expected an integer from 1 to 64, not \"65\""],
            of: Self.fleet + "    supervised: {workers: 65}\n")
        try expect(
            [
                "s.yaml:8:18: address: expected \(SettingKind.workerAddress.expectation), not \"elsewhere\""
            ],
            of: Self.fleet + "    workers:\n      - address: elsewhere\n")
        try expect(
            ["s.yaml:8:9: key \"address\" is missing"],
            of: Self.fleet + "    workers:\n      - weight: 1\n")
        try expect(
            [
                "s.yaml:2:5: model \"a\" has no pool",
                "s.yaml:4:5: key \"model\" is missing",
                "s.yaml:4:12: name: expected at most 32 letters, digits, '.', '_' or '-', "
                    + "no '.' first, not \"p/q\"",
            ], of: "models:\n  - {name: a, path: m.gguf}\npools:\n  - {name: p/q}\n")
    }

    @Test func keysGivenTwice() throws {
        try expect(
            ["s.yaml:3:1: key \"port\" is given twice, first in line 2"],
            of: Self.one + "port: 1\nport: 2\n")
        // Quoted or not, three times, together with other problems.
        try expect(
            [
                "s.yaml:3:1: key \"port\" is given twice, first in line 2",
                "s.yaml:4:1: key \"port\" is given twice, first in line 2",
                "s.yaml:5:1: unknown key \"slot\"; did you mean \"slots\"?",
            ], of: Self.one + "port: 1\n\"port\": 2\nport: 3\nslot: 1\n")
        // In several mappings of both styles.
        try expect(
            [
                "s.yaml:2:29: key \"path\" is given twice, first in line 2",
                "s.yaml:7:7: key \"slots\" is given twice, first in line 6",
            ],
            of: """
                models:
                  - {name: a, path: m.gguf, path: n.gguf}
                pools:
                  - name: p
                    model: a
                    supervised: {slots: 1,
                      slots: 2}

                """)
        // Of a key with an anchor, only the first place can be told.
        try expect(
            ["s.yaml:2:1: key \"port\" is given twice"],
            of: Self.one + "&a port: 1\nport: 2\n")
    }

    @Test func textThatIsNoYAML() throws {
        try expect(
            ["s.yaml:2:1: did not find expected ',' or ']' while parsing a flow sequence"],
            of: "model: [a\n")
        try expect(
            ["s.yaml:1:9: mapping values are not allowed in this context"], of: "model: a: b\n")
        try expect(
            [
                "s.yaml:2:1: but found another document "
                    + "expected a single document in the stream"
            ], of: Self.one + "---\nport: 1\n")
    }

    @Test func filesThatCannotBeRead() throws {
        let missing = try folder.source(flags: ["config": ["/nowhere/s.yaml"]])
        let error = #expect(throws: ConfigurationErrors.self) { try missing.check() }
        #expect(error?.description == "/nowhere/s.yaml: cannot read the configuration file")
        let large = String(repeating: "#", count: YAMLReader.fileLimitBytes + 1)
        try expect(["s.yaml: more than 1048576 bytes"], of: large)
    }

    @Test func problemsAreBounded() throws {
        let lines = (0..<60).map { "unheard-of-\($0): 1\n" }.joined()
        let problems = try folder.problems(Self.one + lines)
        #expect(problems.count == ConfigurationErrors.limit + 1)
        #expect(problems.last == "and 10 more")
    }
}
