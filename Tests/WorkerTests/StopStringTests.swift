import EngineProto
import Foundation
import GRPC
import InferenceTypes
import Logging
import NIOCore
import SwiftProtobuf
import Testing
import Tokenization

@testable import Worker

/// Stop strings of a foreign client, on the real model.
@Suite(.serialized, .enabled(if: RealModel.path != nil, RealModel.absence), .timeLimit(.minutes(5)))
struct StopStringTests {
    private typealias Response = Vllm_Grpc_Engine_GenerateResponse

    private static func start() async throws -> WorkerRuntime {
        var settings = WorkerConfiguration.LlamaSettings(modelPath: try #require(RealModel.path))
        settings.threads = 1
        settings.contextTokens = 4_096
        var configuration = WorkerConfiguration(
            engine: .llama(settings), listen: .tcp(host: "127.0.0.1", port: 0))
        configuration.slots = 2
        var logger = Logger(label: "test")
        logger.logLevel = .error
        return try await WorkerRuntime.start(configuration, logger: logger)
    }

    private static func message(
        _ prompt: [TokenID], _ change: (inout Vllm_Grpc_Engine_SamplingParams) -> Void
    ) throws -> ByteBuffer {
        var message = Vllm_Grpc_Engine_GenerateRequest()
        message.requestID = "stops"
        message.tokenized.inputIds = prompt.map { UInt32($0) }
        message.samplingParams.temperature = 0
        message.samplingParams.maxTokens = 60
        message.samplingParams.ignoreEos = true
        change(&message.samplingParams)
        let bytes: [UInt8] = try message.serializedBytes()
        return ByteBuffer(bytes: bytes)
    }

    private static func answer(
        _ client: ForeignClient, _ message: ByteBuffer
    ) async throws -> ForeignClient.Answer {
        try await client.start("/vllm.grpc.engine.VllmEngine/Generate", message).answer.get()
    }

    private static func completes(
        _ answer: ForeignClient.Answer
    ) throws -> [Vllm_Grpc_Engine_GenerateComplete] {
        #expect(answer.status.isOK, "\(answer.status)")
        return try answer.messages.compactMap {
            let response = try Response(serializedBytes: Array(buffer: $0)).response
            guard case .complete(let complete) = response else { return nil }
            return complete
        }
    }

    @Test func theTokenThatCompletesOneEndsTheChoice() async throws {
        let worker = try await Self.start()
        let client = try await ForeignClient(to: worker.listenAddress)
        let vocabulary = try Vocabulary(path: try #require(RealModel.path))
        let prompt = try vocabulary.tokenize("Once upon a time", addSpecial: true)
        let answers = try Self.completes(
            try await Self.answer(client, Self.message(prompt) { _ in }))
        let whole = try #require(answers.first)
        #expect(whole.finishReason == "length" && whole.outputIds.count == 60)
        let tokens = whole.outputIds.map { TokenID($0) }
        // Over a border of tokens, and the first place where it stands.
        let pieces = tokens.map { Array(vocabulary.pieces.text($0)) }
        let text = String(decoding: pieces.joined(), as: UTF8.self)
        let stop = String(
            decoding: pieces[20].suffix(2) + pieces[21].prefix(2), as: UTF8.self)
        let end = try #require(text.range(of: stop)).upperBound
        let bytes = text[..<end].utf8.count
        var seen = 0
        let last = pieces.indices.first { index in
            seen += pieces[index].count
            return seen >= bytes
        }
        let count = try #require(last) + 1
        for streams in [false, true] {
            var request = try Vllm_Grpc_Engine_GenerateRequest(
                serializedBytes: Array(
                    buffer: try Self.message(prompt) {
                        $0.stop = ["never said", stop]
                        $0.n = 2
                    }))
            request.stream = streams
            let bytes: [UInt8] = try request.serializedBytes()
            let completes = try Self.completes(
                try await Self.answer(client, ByteBuffer(bytes: bytes)))
            #expect(completes.map(\.index).sorted() == [0, 1])
            for complete in completes {
                #expect(complete.finishReason == "stop" && complete.matchedStopStr == stop)
                let sent = streams ? 1 : count
                #expect(complete.outputIds.count == sent)
                #expect(complete.outputIds.last == whole.outputIds[count - 1])
            }
        }
        // Its slots are free, and the sequences are gone from the engine.
        while worker.load.running > 0 { await Task.yield() }
        await worker.shutdown()
    }

    @Test func minTokensComeFirst() async throws {
        let worker = try await Self.start()
        let client = try await ForeignClient(to: worker.listenAddress)
        let vocabulary = try Vocabulary(path: try #require(RealModel.path))
        let prompt = try vocabulary.tokenize("Once upon a time", addSpecial: true)
        let message = try Self.message(prompt) {
            $0.stop = [" "]
            $0.minTokens = 10
        }
        let answers = try Self.completes(try await Self.answer(client, message))
        let complete = try #require(answers.first)
        #expect(complete.finishReason == "stop" && (11...20).contains(complete.outputIds.count))
        await worker.shutdown()
    }

    @Test func tooManyAreRefused() async throws {
        let worker = try await Self.start()
        let client = try await ForeignClient(to: worker.listenAddress)
        for stops in [(0..<17).map { "\($0)" }, [""], [String(repeating: "a", count: 2_000)]] {
            let answer = try await Self.answer(client, Self.message([1, 2]) { $0.stop = stops })
            #expect(
                answer.status.code == .invalidArgument && answer.status.message.contains("stop"))
        }
        await worker.shutdown()
    }
}
