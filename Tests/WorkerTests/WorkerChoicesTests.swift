import EngineProto
import EngineProtocol
import GRPC
import InferenceTypes
import NIOCore
import SwiftProtobuf
import Testing

/// What only gateways other than ours ask for: several choices in a call, and calls that are not
/// streamed.
@Suite(.timeLimit(.minutes(1))) struct WorkerChoicesTests {
    typealias Response = Vllm_Grpc_Engine_GenerateResponse
    typealias Complete = Vllm_Grpc_Engine_GenerateComplete

    /// One choice as it arrived.
    private struct Choice {
        var chunks: [[TokenID]] = []
        var completes: [Complete] = []

        var streamed: [TokenID] { Array(chunks.joined()) }
        var output: [TokenID] { completes.flatMap { $0.outputIds.map(TokenID.init) } }
    }

    private static let prompt: [TokenID] = (0..<20).map { ($0 * 37 + 11) % 999 }
    private static let seed: UInt64 = 12_345

    private static func message(
        choices: UInt32, streams: Bool, tokens: Int,
        _ change: (inout Vllm_Grpc_Engine_SamplingParams) -> Void = { _ in }
    ) throws -> ByteBuffer {
        var message = Vllm_Grpc_Engine_GenerateRequest()
        message.requestID = "foreign"
        message.tokenized.inputIds = prompt.map { UInt32($0) }
        message.samplingParams.temperature = 1
        message.samplingParams.maxTokens = UInt32(tokens)
        message.samplingParams.seed = Int32(seed)
        message.samplingParams.n = choices
        message.stream = streams
        change(&message.samplingParams)
        let bytes: [UInt8] = try message.serializedBytes()
        return ByteBuffer(bytes: bytes)
    }

    /// What the engine answers to one choice.
    private static func expected(
        _ worker: SimulatedWorker, choice: Int, tokens: Int, stopTokens: [TokenID] = []
    ) -> [TokenID] {
        var sampling = SamplingParameters()
        sampling.maxTokens = tokens
        sampling.seed = seed
        sampling.stopTokens = stopTokens
        var request = GenerationRequest(id: "foreign", prompt: prompt, sampling: sampling)
        request.sampling.seed = EngineGenerateRequest(generation: request).seed(forChoice: choice)
        return worker.expected(request)
    }

    private static func start(
        _ client: ForeignClient, _ message: ByteBuffer
    ) async throws -> ForeignClient.Call {
        try await client.start("/vllm.grpc.engine.VllmEngine/Generate", message)
    }

    /// Runs a call to its end; its messages by choice.
    private static func choices(
        _ client: ForeignClient, _ message: ByteBuffer
    ) async throws -> [UInt32: Choice] {
        let answer = try await start(client, message).answer.get()
        #expect(answer.status.isOK, "\(answer.status)")
        var choices: [UInt32: Choice] = [:]
        for bytes in answer.messages {
            switch try Response(serializedBytes: Array(buffer: bytes)).response {
            case .chunk(let chunk):
                #expect(choices[chunk.index]?.completes.isEmpty ?? true, "a chunk after the end")
                choices[chunk.index, default: Choice()].chunks.append(
                    chunk.tokenIds.map { TokenID($0) })
            case .complete(let complete):
                choices[complete.index, default: Choice()].completes.append(complete)
            case nil: Issue.record("an empty response")
            }
        }
        return choices
    }

    @Test func choicesStreamEachWithItsOwnSeed() async throws {
        // More choices than slots: some wait for others.
        let worker = try await SimulatedWorker.start(slots: 2)
        let client = try await ForeignClient(to: worker.runtime.listenAddress)
        let choices = try await Self.choices(
            client, Self.message(choices: 5, streams: true, tokens: 30))
        #expect(choices.keys.sorted() == [0, 1, 2, 3, 4])
        for (index, choice) in choices {
            #expect(
                choice.streamed == Self.expected(worker, choice: Int(index), tokens: 30))
            #expect(choice.completes.map(\.finishReason) == ["length"])
            #expect(choice.completes.map(\.promptTokens) == [20])
            // As with vLLM's servicer, the last message repeats the last chunk, and counts it.
            #expect(choice.output == choice.chunks.last)
            #expect(choice.completes.map(\.completionTokens) == [1])
        }
        #expect(Set(choices.values.map(\.streamed)).count == 5)
        await worker.stop()
    }

    @Test func aChoiceThatEndsEarlyLeavesTheOthersAlone() async throws {
        let worker = try await SimulatedWorker.start()
        let client = try await ForeignClient(to: worker.runtime.listenAddress)
        let stop = Self.expected(worker, choice: 1, tokens: 40)[4]
        let choices = try await Self.choices(
            client,
            Self.message(choices: 3, streams: true, tokens: 40) { $0.stopTokenIds = [UInt32(stop)] }
        )
        #expect(choices.count == 3)
        for (index, choice) in choices {
            let tokens = Self.expected(
                worker, choice: Int(index), tokens: 40, stopTokens: [stop])
            #expect(choice.streamed == tokens)
            let isStopped = tokens.last == stop
            #expect(choice.completes.map(\.finishReason) == [isStopped ? "stop" : "length"])
            if isStopped {
                #expect(choice.completes.first?.matchedStop == .matchedTokenID(UInt32(stop)))
            }
        }
        #expect((choices[1]?.streamed.count ?? 0) <= 5)
        #expect((choices[0]?.streamed.count ?? 0) > 5)
        await worker.stop()
    }

    @Test(arguments: [1, 3] as [UInt32])
    func withoutStreamingEachChoiceIsOneMessage(count: UInt32) async throws {
        let worker = try await SimulatedWorker.start()
        let client = try await ForeignClient(to: worker.runtime.listenAddress)
        let choices = try await Self.choices(
            client,
            Self.message(choices: count, streams: false, tokens: 30) { $0.logprobs = 2 })
        #expect(choices.keys.sorted() == Array(0..<count))
        for (index, choice) in choices {
            let tokens = Self.expected(worker, choice: Int(index), tokens: 30)
            #expect(choice.chunks.isEmpty)
            #expect(choice.completes.count == 1)
            #expect(choice.output == tokens)
            #expect(choice.completes.map(\.finishReason) == ["length"])
            #expect(choice.completes.map(\.promptTokens) == [20])
            #expect(choice.completes.map(\.completionTokens) == [30])
            let logprobs = choice.completes.first?.outputLogprobs
            #expect(logprobs?.tokenIds.map { TokenID($0) } == tokens)
            #expect(logprobs?.topLogprobs.count == 30)
        }
        await worker.stop()
    }

    /// `n` left out is one choice, as vLLM's servicer has it.
    @Test func noNumberOfChoicesIsOne() async throws {
        let worker = try await SimulatedWorker.start()
        let client = try await ForeignClient(to: worker.runtime.listenAddress)
        let choices = try await Self.choices(
            client, Self.message(choices: 0, streams: false, tokens: 3))
        #expect(choices.keys.sorted() == [0])
        await worker.stop()
    }

    @Test(arguments: [true, false]) func aCancelEndsAllChoices(streams: Bool) async throws {
        let worker = try await SimulatedWorker.start(
            slots: 2, stepTime: .fixed(microseconds: 500), isUnending: true)
        let client = try await ForeignClient(to: worker.runtime.listenAddress)
        let call = try await Self.start(
            client,
            Self.message(choices: 4, streams: streams, tokens: SimulatedWorker.unending))
        if streams {
            _ = try await call.firstMessage.get()
        } else {
            while worker.runtime.load.running < 2 { await Task.yield() }
        }
        call.cancel()
        #expect(try await call.answer.get().status.code == .cancelled)
        await worker.becomesIdle()
        // The name is free again, and so is every slot.
        let choices = try await Self.choices(
            client, Self.message(choices: 4, streams: streams, tokens: 3))
        #expect(choices.count == 4)
        await worker.stop()
    }

    @Test func moreChoicesThanTheLimitAreRefused() async throws {
        let worker = try await SimulatedWorker.start { $0.choicesMax = 4 }
        let client = try await ForeignClient(to: worker.runtime.listenAddress)
        let answer = try await Self.start(
            client, Self.message(choices: 5, streams: true, tokens: 3)
        ).answer.get()
        #expect(answer.status.code == .invalidArgument)
        #expect(answer.status.message.contains("n: more than 4"), "\(answer.status.message)")
        #expect(answer.messages.isEmpty)
        await worker.stop()
    }
}
