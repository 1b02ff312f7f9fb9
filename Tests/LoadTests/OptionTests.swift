import ArgumentParser
import Foundation
import Testing

@testable import LoadGenerator
@testable import switchyard_load

/// What the command line asks for is done or refused.
@Suite struct OptionTests {
    /// A scenario's file with a target.
    @discardableResult
    private static func withScenario<Result>(
        _ text: String, _ body: (String) throws -> Result
    ) throws -> Result {
        let path = FileManager.default.temporaryDirectory.path + "/\(UUID().uuidString).yaml"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data(("target: http://127.0.0.1:1\n" + text).utf8)
            .write(to: URL(fileURLWithPath: path))
        return try body(path)
    }

    private static func configuration(_ words: String...) throws -> LoadConfiguration {
        try RunCommand.parse(words).loadConfiguration()
    }

    @Test(arguments: [
        "--arrivals constant", "--concurrency 2 --arrivals constant", "--rate 1 --cv 2",
        "--rate 1 --arrivals constant --cv 2", "--rate 1 --rate-to 2",
        "--rate 1 --ramp-seconds 5", "--rate 1 --arrivals ramp", "--time-scale 2",
        "--rate 1 --prompt-scale 2", "--concurrency 1 --output-scale 2", "--probe-count 2",
        "--probe-at-seconds 1", "--protocol h1 --connections 2", "--insecure",
        "--cacert x --insecure --url https://127.0.0.1:1", "--protocol grpc --ignore-eos",
        "--protocol grpc --member {}", "--protocol grpc --path /x", "--prompts a --prompt-tokens 3",
        "--mode small --max-tokens 2", "--mode small --ignore-eos", "--mode small --protocol grpc",
        "--mode small --slo-itl-ms 5", "--mode small --probe-prompt-tokens 9",
        "--rate 1 --concurrency 1", "--requests 1 --duration 1", "--header x", "--pid 0",
    ])
    func refusesWhatWouldHaveNoBearing(_ line: String) {
        let words = line.split(separator: " ").map(String.init)
        #expect(throws: (any Error).self) { try RunCommand.parse(words).loadConfiguration() }
    }

    @Test(arguments: [
        "--rate inf", "--rate nan", "--rate -1", "--rate 1e9", "--duration 1e300",
        "--duration inf", "--concurrency 9000000000000000000", "--concurrency 0",
        "--requests 0", "--max-tokens 9000000000000000000", "--prompt-tokens 1000000000000",
        "--probe-prompt-tokens 9000000000000000000", "--temperature nan", "--temperature inf",
        "--probe-prompt-tokens 5 --probe-at-seconds 1e300", "--warmup 9000000000000000000",
        "--probe-prompt-tokens 5 --probe-count 9000000000000000000", "--timeout-seconds inf",
        "--slo-ttft-ms 1e300", "--slo-itl-ms inf", "--slo-tpot-ms nan", "--connections 100000",
        "--warmup-seconds 1e300", "--pid -7", "--pid 99999999999",
    ])
    func refusesNumbersThatNoRunCanHave(_ line: String) {
        let words = line.split(separator: " ").map(String.init)
        #expect(throws: (any Error).self) { try RunCommand.parse(words).loadConfiguration() }
    }

    @Test func theUsualExtentFollowsFromTheLoad() throws {
        #expect(try Self.configuration().extent == .requests(10))
        #expect(try Self.configuration("--concurrency", "7").extent == .requests(70))
        #expect(try Self.configuration("--rate", "4").extent == .seconds(60))
        #expect(try Self.configuration("--rate", "4", "--requests", "9").extent == .requests(9))
        try Self.withScenario("load: {poisson: 4}") { path in
            #expect(try Self.configuration("--scenario", path).extent == .seconds(60))
            let closed = try Self.configuration("--scenario", path, "--concurrency", "3")
            #expect(closed.extent == .requests(30))
        }
        // What a scenario says stays, whatever the load becomes.
        try Self.withScenario("duration_seconds: 5") { path in
            for load in ["--concurrency", "--rate"] {
                let run = try Self.configuration("--scenario", path, load, "3")
                #expect(run.extent == .seconds(5))
            }
        }
    }

    @Test func aScenariosTraceIsScaled() throws {
        let trace = FileManager.default.temporaryDirectory.path + "/\(UUID().uuidString).jsonl"
        defer { try? FileManager.default.removeItem(atPath: trace) }
        let lines = """
            {"block_tokens":512,"format":"switchyard-trace","version":1}
            {"ms":0,"in":5,"out":6}
            {"ms":1000,"in":5,"out":6}

            """
        try Data(lines.utf8).write(to: URL(fileURLWithPath: trace))
        try Self.withScenario("load: {trace: {file: \(trace), prompt_scale: 3}}") { path in
            let run = try Self.configuration("--scenario", path, "--time-scale", "0.5")
            #expect(run.replay?.instants == [0, 500_000_000])
            #expect(run.replay?.promptScale == 3)
            #expect(run.extent == .requests(2))
            #expect(throws: (any Error).self) {
                try Self.configuration("--scenario", path, "--max-tokens", "5")
            }
        }
    }

    @Test func aScenariosProbeIsChanged() throws {
        try Self.withScenario("probe: {prompt_tokens: 70, at_seconds: 2, count: 3}") { path in
            let run = try Self.configuration("--scenario", path, "--probe-count", "5")
            #expect(run.probe == .init(promptTokens: 70, afterSeconds: 2, count: 5))
        }
    }

    @Test func aScenarioHasToSuitTheProtocol() throws {
        for lines in ["mix: [{tier: batch}]", "mix: [{ignore_eos: true}]", "path: /v2/chats"] {
            try Self.withScenario(lines) { path in
                _ = try Self.configuration("--scenario", path)
                #expect(throws: (any Error).self) {
                    try Self.configuration("--scenario", path, "--protocol", "grpc")
                }
            }
        }
    }

    @Test func headersStayOutOfReports() {
        let words = [
            "--header", "Authorization: Bearer s3cret", "--url", "http://h:1",
            "--header=x-api-key:s3cret", "--header", "s3cret", "--header", "--header",
            "--rate", "4",
        ]
        let text = CommandText.redacted(words)
        #expect(!text.contains("s3cret"))
        #expect(text.contains("--header Authorization:... --url http://h:1"))
        #expect(text.hasSuffix("--rate 4"))
    }

    @Test(arguments: [
        "--rate 5", "--concurrency 5", "--duration 5", "--requests 5", "--trace x",
        "--arrivals ramp --rate-to 5", "--first-rate inf", "--rate-max inf", "--share nan",
        "--step-seconds inf", "--step-seconds 1e300", "--tolerance inf", "--rate-max 0.5",
    ])
    func aSearchRefusesWhatItChoosesItself(_ line: String) {
        let words = line.split(separator: " ").map(String.init)
        #expect(throws: (any Error).self) {
            try FindKneeCommand.parse(words + ["--slo-ttft-ms", "5"])
        }
    }

    @Test func aSearchKeepsSeedAndShape() throws {
        func steps(_ words: [String]) throws -> [LoadConfiguration] {
            let command = try FindKneeCommand.parse(words + ["--slo-ttft-ms", "5"])
            let common = try command.configuration()
            return try (0..<2).map {
                try FindKneeCommand.configuration(
                    common, .init(rate: 8, isConfirmation: false), number: $0, 4)
            }
        }
        func shape(_ run: LoadConfiguration) -> ArrivalSchedule.Shape? {
            if case .open(let schedule) = run.load { schedule.shape } else { nil }
        }
        #expect(try steps([]).map(shape) == [.poisson, .poisson])
        #expect(try steps(["--arrivals", "constant"]).map(shape) == [.constant, .constant])
        try Self.withScenario("seed: 40\nload: {bursty: {rate: 2, cv: 4}}") { path in
            let runs = try steps(["--scenario", path])
            #expect(runs.map(shape) == [.bursty(variation: 4), .bursty(variation: 4)])
            #expect(runs.map(\.seed) == [40, 41])
            #expect(runs.map(\.extent) == [.seconds(4), .seconds(4)])
        }
        try Self.withScenario("load: {ramp: {from: 1, to: 2, seconds: 3}}") { path in
            #expect(throws: (any Error).self) { _ = try steps(["--scenario", path]) }
        }
    }

    @Test func filesTellWhatTheyAre() throws {
        let path = FileManager.default.temporaryDirectory.path + "/\(UUID().uuidString).json"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let knee = KneeReport(objective: .init(timeToFirstToken: 5), share: 0.9)
        try Data(try knee.json().utf8).write(to: URL(fileURLWithPath: path))
        guard case .knee(let read) = try RunFile.read(path) else {
            Issue.record("a knee search")
            return
        }
        #expect(read == knee)
        #expect(throws: (any Error).self) { try RunFile.report(path) }
    }
}
