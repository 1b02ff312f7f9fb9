import EngineProtocol
import Foundation
import GRPC
import HTTPTransport
import InferenceTypes
import NIOCore
import Testing

/// Our client against a stock grpcio server.
@Suite(
    .enabled(
        if: PythonProcess.interpreter != nil,
        "SWITCHYARD_TEST_PYTHON names no Python with grpcio; `make test` does"),
    .timeLimit(.minutes(3)))
struct GRPCIOServerTests {
    /// One server for a test, and a connection to it.
    static func withServer(
        calls: GRPCConfiguration = GRPCConfiguration(),
        _ body: (PythonProcess, EngineClient) async throws -> Void
    ) async throws {
        let server = try PythonProcess("engine_server.py")
        defer { server.closeInput() }
        let port = try #require(try await server.facts(with: "port")["port"] as? Int)
        let client = try await EngineClient.connect(
            .tcp(host: "127.0.0.1", port: port),
            configuration: EngineConnectionConfiguration(
                calls: calls, controlTimeoutNanoseconds: 60_000_000_000))
        try await body(server, client)
        try await client.close()
    }

    @Test func streamsTokensAndUsage() async throws {
        try await Self.withServer { _, client in
            let got = await client.generate(EngineClient.request("echo", [5, 0, 70000]))
            #expect(got.chunks.map(\.tokens) == [[5], [0], [70000]])
            #expect(got.chunks.map(\.completionTokens) == [1, 2, 3])
            #expect(
                got.finish
                    == EngineFinish(
                        reason: .endOfSequence,
                        usage: Usage(promptTokens: 3, cachedTokens: 1, completionTokens: 3)))

            let stop = await client.generate(EngineClient.request("stop-token", [8, 9]))
            #expect(stop.finish?.reason == .stopToken(9))
            let abort = await client.generate(EngineClient.request("abort"))
            #expect(abort.finish?.reason == .cancelled)
            // An engine that sends no chunks at all.
            let whole = await client.generate(EngineClient.request("whole", [4, 5]))
            #expect(whole.tokens == [4, 5] && whole.finish?.reason == .maxTokens)
            #expect(whole.finish?.usage.completionTokens == 2)

            let logprobs = await client.generate(EngineClient.request("logprobs"))
            #expect(
                logprobs.chunks.first?.logprobs == [
                    TokenLogprob(
                        token: 7, logprob: -1.5,
                        top: [.init(token: 9, logprob: -0.25), .init(token: 7, logprob: -1.5)])
                ])
        }
    }

    @Test func manyCallsShareTheConnection() async throws {
        try await Self.withServer { _, client in
            await withTaskGroup(of: Bool.self) { group in
                for number: TokenID in 0..<50 {
                    group.addTask {
                        let prompt = (1...8).map { number * 10 + $0 }
                        let got = await client.generate(
                            EngineClient.request("echo-\(number)", prompt))
                        return got.tokens == prompt && got.finish != nil
                    }
                }
                for await succeeded in group { #expect(succeeded) }
            }
        }
    }

    @Test func asksForInformation() async throws {
        try await Self.withServer { server, client in
            let health = try await client.ask { $0.healthCheck() }
            #expect(health.isHealthy)
            let model = try await client.ask { $0.modelInfo() }
            #expect(model.vocabularySize == 32000 && model.endOfSequenceTokens == [2, 3])
            #expect(model.contextTokens == 4096 && model.architectures == ["LlamaForCausalLM"])
            let info = try await client.ask { $0.serverInfo() }
            #expect(info.slots == 256 && info.serverType == "vllm")
            let loads = try await client.ask { $0.loads() }
            #expect(loads.ranks.first?.runningRequests == 3 && loads.version == "1.0")
            try await client.ask { $0.abort(["a", "b"]) }
            let facts = try await server.facts(with: "aborted")
            #expect(facts["aborted"] as? [String] == ["a", "b"])
        }
    }

    @Test func theServerSeesACancellation() async throws {
        try await Self.withServer { server, client in
            let got = await client.generate(EngineClient.request("hang-cancel"), cancelAfter: 1)
            #expect(got.failure?.code == .cancelled)
            let facts = try await server.facts(with: "cancelled")
            #expect(facts["cancelled"] as? String == "hang-cancel")
        }
    }

    @Test func deadlinesHoldOnBothSides() async throws {
        try await Self.withServer { server, client in
            let got = await client.generate(
                EngineClient.request("hang-deadline"), timeoutNanoseconds: 300_000_000)
            #expect(got.failure?.code == .deadlineExceeded)
            let started = try await server.facts(with: "started")
            let remaining = try #require(started["remaining"] as? Double)
            #expect(remaining > 0 && remaining <= 0.3)
            let facts = try await server.facts(with: "cancelled")
            #expect(facts["cancelled"] as? String == "hang-deadline")
        }
    }

    @Test func controlCallsHaveADeadline() async throws {
        let server = try PythonProcess("engine_server.py")
        defer { server.closeInput() }
        let port = try #require(try await server.facts(with: "port")["port"] as? Int)
        let client = try await EngineClient.connect(
            .tcp(host: "127.0.0.1", port: port),
            configuration: EngineConnectionConfiguration(controlTimeoutNanoseconds: 1_000_000))
        let status = await #expect(throws: GRPCStatus.self) {
            _ = try await client.ask { $0.serverInfo() }
        }
        #expect(status?.code == .deadlineExceeded)
        try await client.close()
    }

    @Test func errorsArriveWhole() async throws {
        try await Self.withServer { _, client in
            let early = await client.generate(EngineClient.request("fail"))
            #expect(
                early.failure
                    == GRPCStatus(
                        .resourceExhausted, "queue is full: 100 %\nGrüße",
                        details: [8, 8, 0, 255], origin: .peer))
            let late = await client.generate(EngineClient.request("fail-late"))
            #expect(late.tokens == [4] && late.failure?.code == .unavailable)
            #expect(late.failure?.isSafeToRetry == false)
            let word = await client.generate(EngineClient.request("fail-word"))
            #expect(word.failure?.code == .internalError)
            let cut = await client.generate(EngineClient.request("no-complete"))
            #expect(cut.failure?.code == .internalError)
            let unknown = await client.generate(EngineClient.request("what?"))
            #expect(unknown.failure?.code == .invalidArgument)
        }
    }

    @Test func largeMessagesAreRefusedOnBothSides() async throws {
        let calls = GRPCConfiguration(maxMessageBytes: 1 << 20)
        try await Self.withServer(calls: calls) { _, client in
            let answer = await client.generate(EngineClient.request("large"))
            #expect(answer.failure?.code == .resourceExhausted)
            let prompt = Array(repeating: TokenID(3_000_000), count: 1 << 21)
            let request = await client.generate(EngineClient.request("echo", prompt))
            #expect(request.failure?.code == .resourceExhausted)
            #expect(request.failure?.origin == .peer)
        }
    }

    @Test(arguments: GRPCEncoding.allCases)
    func messagesAreCompressedBothWays(_ encoding: GRPCEncoding) async throws {
        try await Self.withServer(calls: GRPCConfiguration(encoding: encoding)) { _, client in
            let prompt = Array(repeating: TokenID(77), count: 5000)
            let got = await client.generate(EngineClient.request(encoding.rawValue, prompt))
            #expect(got.tokens == Array(repeating: 123456, count: 20000))
            #expect(got.finish?.usage.promptTokens == 5000)
        }
    }

    @Test func metadataAndSamplingParametersArrive() async throws {
        try await Self.withServer { server, client in
            let request = EngineClient.request("metadata") {
                $0.tier = .batch
                $0.tenant = "Müller"
                $0.resumedTokens = 2
                $0.sampling.seed = .max
                $0.sampling.temperature = 0.25
                $0.sampling.maxTokens = 9
                $0.sampling.logitBias = [TokenBias(token: 5, bias: -100)]
            }
            let got = await client.generate(
                request, metadata: EngineMetadata(deadlineMilliseconds: 1500, attempt: 3))
            #expect(got.finish?.reason == .maxTokens)
            let facts = try await server.facts(with: "metadata")
            #expect(
                facts["metadata"] as? [String: String] == [
                    "switchyard-tier": "batch", "switchyard-tenant": "M%C3%BCller",
                    "switchyard-deadline": "1500", "switchyard-position": "2",
                    "switchyard-seed": "18446744073709551615", "switchyard-attempt": "3",
                ])
            #expect(facts["seed"] as? Int == Int(EngineSeed.fold(.max)))
            #expect(facts["temperature"] as? Double == 0.25)
            #expect(facts["max_tokens"] as? Int == 9)
            #expect(facts["logit_bias"] as? [String: Double] == ["5": -100])
            #expect(facts["stream"] as? Bool == true)
        }
    }

    /// Without credit the server stops after a window's worth, and goes on with it.
    @Test func aStalledReaderHoldsTheServerBack() async throws {
        try await Self.withServer { server, client in
            let stalled = try await client.generateStalled(EngineClient.request("flood"))
            try await eventually("the flood begins") {
                try await !stalled.generated().chunks.isEmpty
            }
            // Others are not held up; and were the flood not, it would end meanwhile.
            for _ in 0..<50 {
                let other = await client.generate(EngineClient.request("echo", [1, 2]))
                #expect(other.tokens == [1, 2])
            }
            #expect(try await stalled.generated().tokens.count < 20_000)
            #expect(!server.lines.contains { $0.contains("flooded") })
            try await stalled.goOn()
            try await eventually("the flood ends", seconds: 60) {
                try await stalled.generated().finish != nil
            }
            #expect(try await stalled.generated().tokens.count == 20_000)
        }
    }

    @Test func aDyingServerFailsItsCalls() async throws {
        try await Self.withServer { server, client in
            async let hanging = client.generate(EngineClient.request("hang-other"))
            _ = try await server.facts(with: "started")
            let got = await client.generate(EngineClient.request("die"))
            #expect(got.failure?.code == .unavailable)
            #expect(await hanging.failure?.code == .unavailable)
            let isOpen = try await client.eventLoop.submit { client.connection.value.isOpen }.get()
            #expect(!isOpen)
            let after = await client.generate(EngineClient.request("echo"))
            #expect(after.failure?.isSafeToRetry == true)
        }
    }
}
