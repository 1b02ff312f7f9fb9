import EngineProto
import GRPC
import InferenceTypes
import NIOCore
import SwiftProtobuf
import Testing

@testable import EngineProtocol

@Suite struct EngineMessagesTests {
    typealias Request = Vllm_Grpc_Engine_GenerateRequest
    typealias Params = Vllm_Grpc_Engine_SamplingParams

    static func decode(
        _ message: Request, _ metadata: GRPCMetadata = GRPCMetadata(),
        limits: EngineRequestLimits = EngineRequestLimits()
    ) throws -> EngineGenerateRequest {
        let bytes: [UInt8] = try message.serializedBytes()
        return try EngineMessages.generateRequest(
            ByteBuffer(bytes: bytes), metadata, limits: limits)
    }

    static func minimal(_ change: (inout Request) -> Void = { _ in }) -> Request {
        .with {
            $0.requestID = "r1"
            $0.tokenized.inputIds = [1, 2, 3]
            change(&$0)
        }
    }

    static func refusal(_ change: (inout Request) -> Void) throws -> GRPCStatus {
        try #require(throws: GRPCStatus.self) { try decode(minimal(change)) }
    }

    @Test func anEmptyMessageHasTheDefaultsOfVLLM() throws {
        let request = try Self.decode(Self.minimal())
        var sampling = SamplingParameters()
        sampling.seed = request.generation.sampling.seed
        #expect(request.generation.sampling == sampling)
        #expect(request.generation.prompt == [1, 2, 3])
        #expect(request.choices == 1)
        #expect(!request.streams)
        #expect(request.generation.tier == .standard)
    }

    @Test func requestsWithoutSeedDiffer() throws {
        let first = try Self.decode(Self.minimal()).generation.sampling.seed
        let second = try Self.decode(Self.minimal()).generation.sampling.seed
        #expect(first != second)
        let same = try Self.decode(Self.minimal { $0.samplingParams.seed = -1 })
        #expect(same.generation.sampling.seed != UInt64(UInt32.max))
    }

    @Test func whatTheClientSendsIsWhatTheServerReads() throws {
        var sampling = SamplingParameters()
        sampling.temperature = 0
        sampling.topP = 0.5
        sampling.topK = 40
        sampling.minP = 0.25
        sampling.frequencyPenalty = -2
        sampling.presencePenalty = 2
        sampling.repetitionPenalty = 1.5
        sampling.logitBias = [TokenBias(token: 3, bias: -100), TokenBias(token: 9, bias: 1)]
        sampling.seed = 0xDEAD_BEEF_0123_4567
        sampling.ignoreEndOfSequence = true
        sampling.maxTokens = 100
        sampling.minTokens = 5
        sampling.stopTokens = [2, 7]
        sampling.topLogprobs = 3
        sampling.grammar = "root ::= \"a\""
        var request = GenerationRequest(id: "r-1", prompt: [5, 0, .max], sampling: sampling)
        request.tier = .priority
        request.tenant = "Müller & Söhne, 100%"
        request.tenantWeight = 2.5
        request.resumedTokens = 2
        let metadata = EngineMetadata(
            deadlineMilliseconds: 1500, firstTokenMilliseconds: 400, attempt: 3)

        let read = try EngineMessages.generateRequest(
            EngineMessages.generateRequest(request), metadata.grpcMetadata(for: request),
            limits: EngineRequestLimits())
        #expect(
            read
                == EngineGenerateRequest(
                    generation: request, choices: 1, streams: true, metadata: metadata))
    }

    @Test func maxTokensAndLogprobsMayBeAbsent() throws {
        let request = GenerationRequest(id: "x", prompt: [1], sampling: SamplingParameters())
        let read = try EngineMessages.generateRequest(
            EngineMessages.generateRequest(request), GRPCMetadata(), limits: EngineRequestLimits())
        #expect(read.generation.sampling.maxTokens == nil)
        #expect(read.generation.sampling.topLogprobs == nil)
    }

    @Test func aForeignClientsSeedIsItself() throws {
        let request = try Self.decode(Self.minimal { $0.samplingParams.seed = 42 })
        #expect(request.generation.sampling.seed == 42)
    }

    @Test func seedsFoldTo31Bits() {
        for seed: UInt64 in [0, 1, 42, 0x7FFF_FFFF] { #expect(EngineSeed.fold(seed) == seed) }
        #expect(EngineSeed.fold(.max) >= 0)
        #expect(EngineSeed.fold(1 << 31) == 1)
        #expect(EngineSeed.fold(1 << 62) != EngineSeed.fold(0))
    }

    @Test func choicesHaveSeedsOfTheirOwn() throws {
        let request = try Self.decode(
            Self.minimal {
                $0.samplingParams.n = 4
                $0.samplingParams.seed = 7
            })
        let seeds = (0..<4).map(request.seed(forChoice:))
        #expect(request.choices == 4)
        #expect(seeds[0] == 7)
        #expect(Set(seeds).count == 4)
    }

    @Test func truncationKeepsThePromptsEnd() throws {
        let request = try Self.decode(Self.minimal { $0.samplingParams.truncatePromptTokens = 2 })
        #expect(request.generation.prompt == [2, 3])
    }

    static let refusals: [(String, @Sendable (inout Request) -> Void)] = [
        ("request_id", { $0.requestID = "" }),
        ("request_id", { $0.requestID = String(repeating: "x", count: 300) }),
        ("input", { $0.text = "hello" }),
        ("tokenized.input_ids", { $0.tokenized.inputIds = [] }),
        ("tokenized.input_ids", { $0.tokenized.inputIds = [1 << 31] }),
        ("mm_inputs", { $0.mmInputs = .init() }),
        ("kv_transfer_params", { $0.kvTransferParams = .init() }),
        ("data_parallel_rank", { $0.dataParallelRank = 1 }),
        ("sampling_params.temperature", { $0.samplingParams.temperature = -0.1 }),
        ("sampling_params.temperature", { $0.samplingParams.temperature = .nan }),
        ("sampling_params.temperature", { $0.samplingParams.temperature = 2.5 }),
        ("sampling_params.top_p", { $0.samplingParams.topP = 1.1 }),
        ("sampling_params.min_p", { $0.samplingParams.minP = -1 }),
        ("sampling_params.frequency_penalty", { $0.samplingParams.frequencyPenalty = 3 }),
        ("sampling_params.presence_penalty", { $0.samplingParams.presencePenalty = -.infinity }),
        ("sampling_params.repetition_penalty", { $0.samplingParams.repetitionPenalty = -1 }),
        ("sampling_params.max_tokens", { $0.samplingParams.maxTokens = 0 }),
        (
            "sampling_params.min_tokens",
            {
                $0.samplingParams.maxTokens = 5
                $0.samplingParams.minTokens = 6
            }
        ),
        ("sampling_params.stop_token_ids", { $0.samplingParams.stopTokenIds = [.max] }),
        ("sampling_params.logprobs", { $0.samplingParams.logprobs = 21 }),
        ("sampling_params.logprobs", { $0.samplingParams.logprobs = -1 }),
        ("sampling_params.prompt_logprobs", { $0.samplingParams.promptLogprobs = 1 }),
        ("sampling_params.logit_bias", { $0.samplingParams.logitBias = [-1: 1] }),
        ("sampling_params.logit_bias", { $0.samplingParams.logitBias = [1: 101] }),
        ("sampling_params.logit_bias", { $0.samplingParams.logitBias = [1: .nan] }),
        ("sampling_params.n", { $0.samplingParams.n = 1000 }),
        (
            "sampling_params.truncate_prompt_tokens",
            { $0.samplingParams.truncatePromptTokens = -1 }
        ),
        ("sampling_params.json_schema", { $0.samplingParams.jsonSchema = "{}" }),
        ("sampling_params.regex", { $0.samplingParams.regex = "a*" }),
        ("sampling_params.structural_tag", { $0.samplingParams.structuralTag = "x" }),
        ("sampling_params.json_object", { $0.samplingParams.jsonObject = true }),
        ("sampling_params.choice", { $0.samplingParams.choice = .init() }),
    ]

    @Test(arguments: refusals.indices)
    func refusalsNameTheField(_ index: Int) throws {
        let (field, change) = Self.refusals[index]
        let status = try Self.refusal(change)
        #expect(status.code == .invalidArgument)
        #expect(status.message.hasPrefix("\(field): "), "\(status.message)")
    }

    @Test func aConstraintThatConstrainsNothingIsAccepted() throws {
        let request = try Self.decode(Self.minimal { $0.samplingParams.jsonObject = false })
        #expect(request.generation.sampling.grammar == nil)
    }

    @Test(arguments: [
        ("switchyard-tier", "gold"), ("switchyard-position", "4"), ("switchyard-position", "-1"),
        ("switchyard-tenant-weight", "0"), ("switchyard-tenant-weight", "nan"),
        ("switchyard-seed", "1e3"), ("switchyard-deadline", "soon"), ("switchyard-attempt", ""),
    ])
    func refusesMalformedMetadata(_ key: String, _ value: String) throws {
        var metadata = GRPCMetadata()
        metadata.append(key, value)
        let status = try #require(throws: GRPCStatus.self) {
            try Self.decode(Self.minimal(), metadata)
        }
        #expect(status.code == .invalidArgument)
        #expect(status.message.hasPrefix("\(key): "), "\(status.message)")
    }

    @Test func malformedMessagesAreTheCallersFault() {
        let status = #expect(throws: GRPCStatus.self) {
            try EngineMessages.generateRequest(
                ByteBuffer(bytes: [0x0A, 0xFF]), GRPCMetadata(), limits: EngineRequestLimits())
        }
        #expect(status?.code == .invalidArgument)
    }

    @Test(arguments: [
        FinishReason.endOfSequence, .stopToken(7), .stopString("END"), .maxTokens, .contextFull,
        .timeLimit, .cancelled,
    ])
    func everyFinishReasonTravels(_ reason: FinishReason) throws {
        let message = EngineMessages.complete(
            EngineTokens(tokens: [4, 5]),
            EngineFinish(
                reason: reason,
                usage: Usage(promptTokens: 9, cachedTokens: 3, completionTokens: 30), index: 1))
        guard
            case .complete(let tokens, let word, let matched) = try EngineMessages.response(message)
        else {
            Issue.record("not a Complete")
            return
        }
        #expect(tokens.tokens == [4, 5])
        // As vLLM: this message's tokens, not the choice's.
        #expect(tokens.completionTokens == 2)
        #expect(tokens.promptTokens == 9 && tokens.cachedTokens == 3 && tokens.index == 1)
        let detail = EngineFinishWords.detail(of: reason)
        #expect((matched ?? EngineFinishWords.reason(word: word, detail: detail)) == reason)
    }

    @Test func informationTravels() throws {
        var model = EngineModelInfo()
        model.modelPath = "/m.gguf"
        model.servedModelName = "m"
        model.architectures = ["LlamaForCausalLM"]
        model.contextTokens = 8192
        model.vocabularySize = 49152
        model.endOfSequenceTokens = [2, 0]
        model.beginningOfSequenceToken = 1
        model.maxInputTokens = 8191
        #expect(try EngineMessages.modelInfo(EngineMessages.encode(model)) == model)

        var server = EngineServerInfo()
        server.serverType = "switchyard-worker"
        server.activeRequests = 3
        server.isPaused = true
        server.uptimeSeconds = 1.5
        server.slots = 16
        #expect(try EngineMessages.serverInfo(EngineMessages.encode(server)) == server)

        var load = EngineLoad()
        load.runningRequests = 4
        load.waitingRequests = 2
        load.usedTokens = 100
        load.maxTokens = 8192
        load.utilization = 0.5
        load.waitingUncachedTokens = 77
        var loads = EngineLoads()
        loads.timestamp = "2026-01-01T00:00:00Z"
        loads.ranks = [load]
        #expect(try EngineMessages.loads(EngineMessages.encode(loads)) == loads)

        let health = EngineHealth(isHealthy: true, message: "Health")
        #expect(try EngineMessages.health(EngineMessages.encode(health)) == health)
    }
}
