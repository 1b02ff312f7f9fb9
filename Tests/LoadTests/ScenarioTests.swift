import Foundation
import HTTPTransport
import Testing

@testable import LoadGenerator

@Suite struct ScenarioTests {
    private static let files = [
        "t.csv": "arrival_ms,input_tokens,output_tokens\n0,10,20\n5,30,40\n",
        "p.txt": "first\nsecond\n",
        "q.csv": "\"name\" , \" output, tokens\"\r\n\"a, b\", 7 \r\n\r\n\"c\"\"d\",\"9\"\r\n",
        "wrong.csv": "n\r\n\r\n1\r\nx\r\n",
        "named.jsonl": "{\"format\":\"switchyard-trace\",\"version\":1,\"block_tokens\":1}\n"
            + "{\"ms\":0,\"in\":9,\"out\":1,\"class\":\"chat\"}\n",
        "far.csv": "arrival_ms,input_tokens,output_tokens\n0,1,1\n1e12,1,1\n",
    ]

    private func configuration(_ text: String) throws(ScenarioError) -> LoadConfiguration {
        try ScenarioFile.configuration(
            text,
            ScenarioSurroundings(
                variable: { $0 == "KEY" ? "secret" : nil }, text: { Self.files[$0] },
                path: { "/folder/" + $0 }))
    }

    @Test func everythingIsRead() throws {
        let run = try configuration(
            """
            targets: [http://127.0.0.1:1, "https://h/x"]
            protocol: h1
            connections: 3
            path: /v2/chat
            headers: {X-A: b}
            tls: {ca: ca.pem}
            seed: 9
            timeout_seconds: 7.5
            in_flight_max: 50
            warm_up: {requests: 4, seconds: 2}
            duration_seconds: 30
            load: {bursty: {rate: 20, cv: 3}}
            slo: {ttft_ms: 500, itl_ms: 50, tpot_ms: 40, e2e_ms: 9000}
            probe: {prompt_tokens: 2000, at_seconds: 5, count: 2}
            mix:
              - name: chat
                weight: 3
                tenant: acme
                key_env: KEY
                tier: priority
                model: m
                prompt_tokens: {lognormal: {median: 100, sigma: 0.8, max: 4000}}
                output_tokens: {uniform: [10, 20]}
                ignore_eos: true
                temperature: 0.5
                members: ['"top_p":0.9']
                shared_prefix: {pool: 8, tokens: 500}
                conversation: {turns: 4, think_seconds: {empirical: [1, 2]}}
                cancel: {fraction: 0.1, after_tokens: 20}
                slow_readers: {fraction: 0.05, bytes_per_second: 2000, window_bytes: 1000}
              - prompts: p.txt
                output_tokens: {empirical: {file: t.csv, column: output_tokens}}
                cancel: {after_ms: 5}
                slow_readers: {stall_seconds: 3, window_bytes: 1000}
            """)
        #expect(run.targets.map(\.authority) == ["127.0.0.1:1", "h:443"])
        #expect(run.version == .h1 && run.connections == 3 && run.path == "/v2/chat")
        #expect(run.fields == [HTTPField("x-a", "b")])
        #expect(run.trust == .authority(path: "/folder/ca.pem"))
        #expect(run.seed == 9 && run.requestTimeoutSeconds == 7.5 && run.inFlightMax == 50)
        #expect(run.warmUpRequests == 4 && run.warmUpSeconds == 2)
        #expect(run.extent == .seconds(30))
        guard case .open(let schedule) = run.load else { throw ScenarioError(problems: []) }
        #expect(schedule.words == "bursty 20.0/s, variation 3.0")
        #expect(
            run.objective
                == ServiceLevelObjective(
                    timeToFirstToken: 500, interTokenLatency: 50, timePerOutputToken: 40,
                    endToEnd: 9_000))
        #expect(run.probe == .init(promptTokens: 2_000, afterSeconds: 5, count: 2))
        var chat = TrafficClass()
        chat.name = "chat"
        chat.weight = 3
        chat.tenant = "acme"
        chat.fields = [HTTPField("authorization", "Bearer secret")]
        chat.tier = "priority"
        chat.model = "m"
        chat.prompt = .words(.lognormal(median: 100, sigma: 0.8, max: 4_000))
        chat.output = .uniform(from: 10, to: 20)
        chat.ignoresEndOfSequence = true
        chat.temperature = 0.5
        chat.extraMembers = ["\"top_p\":0.9"]
        chat.sharedPrefix = .init(pool: 8, tokens: 500)
        chat.conversation = .init(turns: .constant(4), thinkSeconds: .empirical([1, 2]))
        chat.cancels = .init(fraction: 0.1, moment: .afterTokens(20))
        chat.slowReaders = .init(fraction: 0.05, pace: .bytesPerSecond(2_000))
        chat.slowReaders?.windowBytes = 1_000
        var other = TrafficClass()
        other.prompt = .list(["first", "second"])
        other.output = .empirical([20, 40])
        other.cancels = .init(fraction: 1, moment: .afterMilliseconds(5))
        other.slowReaders = .init(fraction: 1, pace: .stall(seconds: 3))
        other.slowReaders?.windowBytes = 1_000
        #expect(run.classes == [chat, other])
    }

    @Test func loadsHaveTheirShapes() throws {
        func load(_ text: String) throws -> LoadConfiguration {
            try configuration("target: http://h\nload: \(text)\n")
        }
        func words(_ text: String) throws -> String? {
            guard case .open(let schedule) = try load(text).load else { return nil }
            return schedule.words
        }
        #expect(try words("{poisson: 2}") == "poisson 2.0/s")
        #expect(try words("{constant: 2}") == "constant 2.0/s")
        #expect(try words("{ramp: {from: 0, to: 9, seconds: 3}}") == "ramp 0.0/s to 9.0/s in 3.0 s")
        #expect(try load("{poisson: 2}").extent == .seconds(60))
        let closed = try load("{concurrency: 5}")
        guard case .closed(5) = closed.load else { throw ScenarioError(problems: []) }
        #expect(closed.extent == .requests(50))
        let replayed = try load(
            "{trace: {file: t.csv, time_scale: 2, prompt_scale: 3, output_scale: 4}}")
        #expect(replayed.extent == .requests(2))
        #expect(replayed.replay?.instants == [0, 10_000_000])
        #expect(replayed.replay?.promptScale == 3 && replayed.replay?.outputScale == 4)
        #expect(try load("{trace: {file: t.csv, first: 1}}").extent == .requests(1))
    }

    @Test func columnsAreReadWithQuotesAndSpaces() throws {
        let run = try configuration(
            """
            target: http://h
            mix: [{output_tokens: {empirical: {file: q.csv, column: " output, tokens"}}}]
            """)
        #expect(run.classes.map(\.output) == [.empirical([7, 9])])
    }

    @Test func tracesMayNameTheClassesOfTheMix() throws {
        let run = try configuration(
            "target: http://h\nload: {trace: {file: named.jsonl}}\nmix: [{name: chat}]\n")
        #expect(run.replay?.trace.records.map(\.className) == ["chat"])
    }

    @Test func gRPCHasTheTiersOfItsMessages() throws {
        let run = try configuration(
            "target: http://h\nprotocol: grpc\nmix: [{tier: priority}, {tier: default}, {}]\n")
        #expect(run.classes.map(\.tier) == ["priority", "default", nil])
    }

    @Test(arguments: [
        ("", "line 1: an empty scenario"),
        ("- a\n", "line 1: the scenario: expected keys and values, not a list"),
        ("load: {}\n", "one of these is missing: target, targets"),
        (
            "target: http://h\nlaod: {}\n",
            "line 2: the scenario: unknown key \"laod\"; there are target"
        ),
        ("target: ftp://h\n", "line 1: target: expected http://host:port"),
        ("target: http://h\ntarget: http://h\n", "key \"target\" is given twice"),
        ("target: http://h\nseed: [\n", "line 3"),
        (
            "target: http://h\nprotocol: h3\n",
            "line 2: protocol: expected one of h1, h2, grpc, not \"h3\""
        ),
        ("target: http://h\nconnections: 0\n", "connections: expected a whole number of 1...1000"),
        ("target: http://h\nconnections: '3'\n", "connections: expected a whole number"),
        ("target: http://h\nload: {poisson: fast}\n", "line 2: poisson: expected a number"),
        ("target: http://h\nload: {poisson: 1, constant: 1}\n", "only one of these can be given"),
        ("target: http://h\nload: {bursty: {rate: 1}}\n", "key \"cv\" is missing"),
        ("target: http://h\nload:\n  trace: {file: no.csv}\n", "line 3: file: cannot read no.csv"),
        (
            "target: http://h\nload: {trace: {file: p.txt}}\n",
            "file: p.txt, line 1: no known format"
        ),
        (
            "target: http://h\nrequests: 1\nduration_seconds: 1\n",
            "line 3: requests and duration_seconds"
        ),
        ("target: http://h\nmix: []\n", "mix: a list has"),
        ("target: http://h\nmix: [{key_env: NONE}]\n", "key_env: the environment has no NONE"),
        ("target: http://h\nmix: [{key: a, key_env: KEY}]\n", "key and key_env exclude each other"),
        (
            "target: http://h\nmix:\n  - output_tokens: {uniform: [3, 1]}\n",
            "line 3: output_tokens: uniform"
        ),
        (
            "target: http://h\nmix: [{output_tokens: {lognormal: {median: 3}}}]\n",
            "key \"sigma\" is missing"
        ),
        (
            "target: http://h\nmix: [{output_tokens: 0}]\n",
            "output_tokens: expected a number of 1..."
        ),
        (
            "target: http://h\nmix: [{prompt_tokens: {empirical: {file: t.csv, column: x}}}]\n",
            "no column \"x\""
        ),
        (
            "target: http://h\nmix: [{cancel: {fraction: 2, after_ms: 1}}]\n",
            "fraction: expected a number of 0...1"
        ),
        (
            "target: http://h\nmix: [{cancel: {fraction: 1}}]\n",
            "one of these is missing: after_tokens"
        ),
        (
            "target: http://h\nmix: [{slow_readers: {}}]\n",
            "one of these is missing: bytes_per_second"
        ),
        (
            "target: http://h\nprotocol: grpc\nmix: [{ignore_eos: true}]\n",
            "line 3: a class: ignore_eos: not for gRPC"
        ),
        (
            "target: http://h\nprotocol: grpc\nmix:\n  - name: a\n    members: ['\"n\":1']\n",
            "line 5: class \"a\": members: not for gRPC"
        ),
        (
            "target: http://h\nprotocol: grpc\nmix:\n  - name: a\n    tier: batch\n",
            "line 5: class \"a\": tier: not for gRPC, where there are default, priority, "
                + "not \"batch\""
        ),
        ("target: http://h\nprotocol: grpc\npath: /x\n", "line 3: path: not for gRPC"),
        (
            "target: http://h\nmix:\n  - slow_readers: {stall_seconds: 1}\n"
                + "  - slow_readers: {stall_seconds: 1, window_bytes: 9}\n",
            "line 4: window_bytes: slow readers of all classes have the same, and here are 4096 "
                + "and 9"
        ),
        (
            "target: http://h\nload: {trace: {file: named.jsonl}}\nmix: [{name: b}]\n",
            "line 2: trace: the mix has no class \"chat\""
        ),
        (
            "target: http://h\nload: {trace: {file: named.jsonl}}\n",
            "line 2: trace: the mix has no class \"chat\""
        ),
        (
            "target: http://h\nload: {trace: {file: far.csv, time_scale: 1e6}}\n",
            "file: far.csv, 1e+18 ms long"
        ),
        ("target: http://h\nprobe: {}\n", "line 2: key \"prompt_tokens\" is missing"),
        (
            "target: http://h\nprobe: {prompt_tokens: 10000001}\n",
            "prompt_tokens: expected a whole number of 1...10000000"
        ),
        (
            "target: http://h\nmix: [{prompt_tokens: 10000001}]\n",
            "prompt_tokens: expected a number of 1...10000000"
        ),
        (
            "target: http://h\nmix: [{shared_prefix: {pool: 10000, tokens: 2001}}]\n",
            "shared_prefix: pool times tokens is at most 20000000, not 20010000"
        ),
        (
            "target: http://h\nmix: [{output_tokens: {empirical: {file: wrong.csv, column: n}}}]\n",
            "wrong.csv, line 4: no number"
        ),
    ])
    func problemsAreTold(_ text: String, _ words: String) {
        let error = #expect(throws: ScenarioError.self) { try configuration(text) }
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
    }

    @Test func allProblemsAreToldByLine() {
        let error = #expect(throws: ScenarioError.self) {
            try configuration("target: http://h\nconnections: x\nseed: y\nfoo: 1\n")
        }
        #expect(error?.problems.map(\.line) == [2, 3, 4])
    }

    /// The examples in loadtest/scenarios, with the traces that they name left out.
    @Test func examplesAreRight() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("loadtest/scenarios").path
        let names = try FileManager.default.contentsOfDirectory(atPath: folder).filter {
            $0.hasSuffix(".yaml")
        }
        #expect(names.count >= 6)
        for name in names.sorted() {
            let data = try #require(FileManager.default.contents(atPath: folder + "/" + name))
            let text = String(decoding: data, as: UTF8.self)
            #expect(throws: Never.self, "\(name)") {
                try ScenarioFile.configuration(
                    text,
                    ScenarioSurroundings(
                        variable: { _ in "key" },
                        text: { path in
                            path.hasSuffix(".csv") || path.hasSuffix(".jsonl")
                                ? Self.files["t.csv"] : nil
                        }))
            }
        }
    }
}
