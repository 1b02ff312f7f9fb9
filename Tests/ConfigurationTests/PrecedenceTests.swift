import Gateway
import HTTPTransport
import Routing
import Testing

@testable import Configuration

@Suite struct PrecedenceTests {
    private let folder: Folder

    init() throws { folder = try Folder() }

    @Test func flagsGoBeforeEnvironmentBeforeFileBeforeDefaults() throws {
        let yaml = "model: m.gguf\nport: 1\nadmin-port: 1\nqueue-limit: 1\nmodel-alias: [f, g]\n"
        let loaded = try folder.source(
            yaml: yaml, flags: ["port": ["3"]],
            environment: [
                "SWITCHYARD_PORT": "2", "SWITCHYARD_ADMIN_PORT": "2",
                "SWITCHYARD_MODEL_ALIAS": "e, d", "SWITCHYARD_QUEUE_LIMIT": "",
            ]
        ).check()
        #expect(loaded.configuration.port == 3)
        #expect(loaded.configuration.adminPort == 2)
        // An empty variable is none.
        #expect(loaded.configuration.admission.queueLimitTickets == 1)
        #expect(loaded.configuration.drainSeconds == 30)
        #expect(loaded.configuration.models[0].aliases == ["e", "d"])
        let lines = loaded.effectiveText.split(separator: "\n").map(String.init)
        #expect(lines.contains("port: 3  # flag"))
        #expect(lines.contains("admin-port: 2  # SWITCHYARD_ADMIN_PORT"))
        #expect(lines.contains("queue-limit: 1  # \(folder.path)/s.yaml:4"))
        #expect(lines.contains("drain-seconds: 30  # default"))
    }

    @Test func theFileItselfMayComeFromTheEnvironment() throws {
        let file = try folder.write("e.yaml", "model: m.gguf\nport: 5\n")
        let loaded = try folder.source(environment: ["SWITCHYARD_CONFIG": file]).check()
        #expect(loaded.configuration.port == 5)
        #expect(loaded.configuration.models[0].path == "\(folder.path)/m.gguf")
    }

    @Test func defaultsAreTheGatewaysOwn() throws {
        let loaded = try folder.source(flags: ["model": ["\(folder.path)/m.gguf"]]).check()
        var expected = GatewayConfiguration(
            models: loaded.configuration.models, pools: loaded.configuration.pools)
        expected.models[0] = ModelSettings(path: "\(folder.path)/m.gguf")
        // Where state goes is a matter of the machine.
        expected.stateDirectory = "\(folder.path)/.local/state/switchyard"
        #expect("\(loaded.configuration)" == "\(expected)")
    }

    @Test func oneModelHasOnePool() throws {
        let loaded = try folder.source(
            flags: [
                "model": ["\(folder.path)/m.gguf"], "workers": ["2"], "slots": ["8"],
                "worker-argument": ["--step-time", "5000"], "data-dir": ["/d"],
            ]
        ).check()
        var pool = PoolSettings(name: "default", model: "m")
        pool.supervised = SupervisedWorkers(
            commandLine: WorkerCommandLine(
                executable: "/bin/switchyard",
                arguments: [
                    "--engine", "llama", "--slots", "8", "--threads", "1", "--drain-seconds",
                    "30", "--step-time", "5000",
                ], socketDirectory: "/d/run-7"),
            count: 2)
        pool.supervised?.commandLine.journalDirectory = "/d/journals"
        #expect(loaded.configuration.pools == [pool])
    }

    @Test func wrongFlagsAndVariablesAreNamed() throws {
        let source = try folder.source(
            flags: ["model": ["\(folder.path)/m.gguf"], "port": ["x"]],
            environment: ["SWITCHYARD_SLOTS": "many"])
        let error = try #require(
            #expect(throws: ConfigurationErrors.self) { try source.check() })
        #expect(
            Set(error.description.components(separatedBy: "\n")) == [
                "--port: expected an integer from 0 to 65535, not \"x\"",
                "SWITCHYARD_SLOTS: expected an integer from 1 to 65536, not \"many\"",
            ])
        #expect(!error.isUsage)
        let noModel = try folder.source()
        let usage = #expect(throws: ConfigurationErrors.self) { try noModel.check() }
        #expect(usage?.isUsage == true)
    }

    @Test func variablesThatAreNoSettingsAreNamed() throws {
        let loaded = try folder.source(
            flags: ["model": ["\(folder.path)/m.gguf"]],
            environment: [
                "SWITCHYARD_PROT": "1", "SWITCHYARD_KV_LAYOUT": "shared",
                "SWITCHYARD_CACHE": "/c", "SWITCHYARD_PORT": "1",
            ]
        ).check()
        #expect(
            loaded.warnings == [
                "SWITCHYARD_KV_LAYOUT is a setting of `switchyard worker`, "
                    + "not of `switchyard serve`",
                "SWITCHYARD_PROT is no setting; did you mean \"SWITCHYARD_PORT\"?",
            ])
    }

    @Test func aReloadReadsTheFileAgain() throws {
        let source = try folder.source(yaml: "model: m.gguf\nqueue-limit: 5\n")
        #expect(try source.load().configuration.admission.queueLimitTickets == 5)
        try folder.write("s.yaml", "model: m.gguf\nqueue-limit: 6\n")
        #expect(try source.load().configuration.admission.queueLimitTickets == 6)
        try folder.write("s.yaml", "queue-limit: 7\n")
        #expect(throws: ConfigurationErrors.self) { try source.load() }
    }
}
