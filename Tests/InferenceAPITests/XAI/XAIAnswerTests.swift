import Foundation
import GRPC
import InferenceTypes
import NIOCore
import SwiftProtobuf
import Testing
import XAIProto

@testable import InferenceAPI

/// What goes out: whole answers, and chunks against SwiftProtobuf and against what xai-sdk's
/// `process_chunk` needs, which overwrites where others merge.
@Suite struct XAIAnswerTests {
    typealias Chunk = XaiApi_GetChatCompletionChunk

    static let seed = ProcessInfo.processInfo.environment["SEED"].flatMap(UInt64.init) ?? 1
    static let head = ChatResponseHead(
        id: "0123456789abcdef0123456789abcdef", created: 1_795_422_434, model: "smollm2",
        systemFingerprint: "fp_2b1a74c039", serviceTier: .priority)

    private static func messages(_ bytes: ByteBuffer) throws -> [ByteBuffer] {
        var decoder = GRPCFrameDecoder(maxMessageBytes: 1 << 20)
        decoder.append(bytes)
        var messages: [ByteBuffer] = []
        while let frame = try decoder.next() {
            #expect(!frame.isCompressed)
            messages.append(frame.payload)
        }
        try decoder.finish()
        return messages
    }

    /// What one call of the encoder writes: one message, and the same bytes that SwiftProtobuf
    /// would make of it.
    private static func chunk(
        _ context: String, _ write: (inout ByteBuffer) -> Void
    ) throws -> Chunk {
        var buffer = ByteBuffer()
        write(&buffer)
        let messages = try messages(buffer)
        try #require(messages.count == 1, "\(context)")
        let bytes = Array(messages[0].readableBytesView)
        let chunk = try Chunk(serializedBytes: bytes)
        let again: [UInt8] = try chunk.serializedBytes()
        #expect(again == bytes, "\(context)")
        return chunk
    }

    // MARK: Chunks

    @Test func everyChunkHasWhatTheSDKOverwrites() throws {
        var random = SeededGenerator(seed: Self.seed)
        for round in 0..<2_000 {
            let context = "round \(round), SEED=\(Self.seed)"
            let head = Self.randomHead(&random)
            var encoder = XAIFormat(settings: .init()).encoder(head)
            let choice = random.below(200)
            let usage = Self.randomUsage(&random)
            let piece = Self.randomPiece(&random)
            let chunk = try Self.chunk(context) {
                encoder.begin(usage, into: &$0)
                encoder.write(piece, choice: choice, usage: usage, into: &$0)
            }
            #expect(chunk.id == head.id && chunk.model == head.model, "\(context)")
            #expect(chunk.created.seconds == Int64(head.created), "\(context)")
            #expect(chunk.systemFingerprint == head.systemFingerprint ?? "", "\(context)")
            #expect(chunk.usage == XaiApi_SamplingUsage(usage), "\(context)")
            try #require(chunk.outputs.count == 1, "\(context)")
            let output = chunk.outputs[0]
            #expect(output.index == Int32(choice), "\(context)")
            #expect(output.delta.role == .roleAssistant, "\(context)")
            #expect(output.finishReason == .reasonInvalid, "\(context)")
            switch piece {
            case .text(let text, let logprobs):
                #expect(output.delta.content == text, "\(context)")
                #expect(output.hasLogprobs == !(logprobs ?? []).isEmpty, "\(context)")
                #expect(output.logprobs == XaiApi_LogProbs(logprobs ?? []), "\(context)")
            case .reasoning(let text):
                #expect(output.delta.reasoningContent == text, "\(context)")
            case .toolCall(let call):
                #expect(output.delta.toolCalls == [XaiApi_ToolCall(call)], "\(context)")
            }
        }
    }

    @Test(arguments: [
        (FinishReason.endOfSequence, XaiApi_FinishReason.reasonStop),
        (.stopToken(3), .reasonStop), (.stopString("x"), .reasonStop),
        (.toolCalls, .reasonToolCalls), (.maxTokens, .reasonMaxLen),
        (.contextFull, .reasonMaxContext), (.timeLimit, .reasonTimeLimit),
        (.cancelled, .reasonTimeLimit),
    ])
    func theLastChunkOfAnOutputHasItsReason(
        _ reason: FinishReason, _ expected: XaiApi_FinishReason
    ) throws {
        var encoder = XAIFormat(settings: .init()).encoder(Self.head)
        let usage = Usage(promptTokens: 3, completionTokens: 2)
        let chunk = try Self.chunk("") {
            encoder.finish(reason, choice: 1, usage: usage, into: &$0)
        }
        #expect(chunk.outputs.map(\.finishReason) == [expected])
        #expect(chunk.outputs[0].index == 1)
        #expect(chunk.outputs[0].delta.role == .roleAssistant)
        #expect(chunk.usage.totalTokens == 5)
        #expect(chunk.serviceTier == .priority)
    }

    @Test func theWholeUsageIsAlwaysTheLastThatIsTold() throws {
        var encoder = XAIFormat(settings: .init()).encoder(Self.head)
        let usage = Usage(promptTokens: 3, completionTokens: 2)
        var buffer = ByteBuffer()
        encoder.finish(.maxTokens, choice: 0, usage: usage, into: &buffer)
        buffer.clear()
        encoder.end(usage, into: &buffer)
        #expect(buffer.readableBytes == 0)
        let more = Usage(promptTokens: 3, completionTokens: 4)
        let chunk = try Self.chunk("") { encoder.end(more, into: &$0) }
        #expect(chunk.outputs.isEmpty && chunk.usage.completionTokens == 4)
        #expect(chunk.id == Self.head.id && chunk.model == Self.head.model)
    }

    @Test func failuresAndKeepalivesAreTheTransports() {
        var encoder = XAIFormat(settings: .init()).encoder(Self.head)
        var buffer = ByteBuffer()
        encoder.keepalive(.unknown, into: &buffer)
        encoder.fail(APIError(.workerLost, "gone"), into: &buffer)
        #expect(buffer.readableBytes == 0)
    }

    @Test func emptyArgumentsAreAnEmptyObject() {
        let call = XaiApi_ToolCall(ChatToolCall(id: "c", name: "f", arguments: ""))
        #expect(call.function.arguments == "{}")
        #expect(call.type == .clientSideTool)
    }

    // MARK: Whole answers

    @Test func aWholeAnswerHasAllOutputs() throws {
        var first = Completion.Choice(content: "A", finishReason: .endOfSequence)
        first.reasoningContent = "hm"
        first.logprobs = [
            ChatTokenLogprob(
                token: .init(bytes: [0xE2], logprob: -1), top: [.init(bytes: [65], logprob: -2)])
        ]
        var second = Completion.Choice(content: "", finishReason: .toolCalls)
        second.toolCalls = [ChatToolCall(id: "c", name: "f", arguments: "{\"a\":1}")]
        let usage = Usage(
            promptTokens: 213, cachedTokens: 10, completionTokens: 2, reasoningTokens: 256)
        let request = try XAIFace(isStreaming: false).decode(
            XAIRequest.valid { $0.maxTokens = 9 }.buffer, limits: ChatRequestLimits())
        var buffer = ByteBuffer()
        request.format.write(
            Completion(head: Self.head, choices: [first, second], usage: usage), into: &buffer)
        let response = try XaiApi_GetChatCompletionResponse(
            serializedBytes: Array(buffer.readableBytesView))
        #expect(response.id == Self.head.id && response.model == "smollm2")
        #expect(response.created.seconds == Int64(Self.head.created))
        #expect(response.systemFingerprint == "fp_2b1a74c039")
        #expect(response.serviceTier == .priority)
        #expect(response.settings.maxTokens == 9)
        #expect(response.outputs.map(\.index) == [0, 1])
        #expect(response.outputs.map(\.message.role) == [.roleAssistant, .roleAssistant])
        #expect(response.outputs.map(\.finishReason) == [.reasonStop, .reasonToolCalls])
        #expect(response.outputs[0].message.content == "A")
        #expect(response.outputs[0].message.reasoningContent == "hm")
        #expect(response.outputs[0].logprobs.content[0].token == "\u{FFFD}")
        #expect(response.outputs[0].logprobs.content[0].bytes == Data([0xE2]))
        #expect(response.outputs[0].logprobs.content[0].topLogprobs[0].token == "A")
        #expect(!response.outputs[1].hasLogprobs)
        #expect(response.outputs[1].message.toolCalls[0].function.arguments == "{\"a\":1}")
        // Reasoning is not part of the completion's tokens, and of the sum.
        #expect(response.usage.completionTokens == 2 && response.usage.reasoningTokens == 256)
        #expect(response.usage.totalTokens == 471)
        #expect(response.usage.promptTextTokens == 213)
        #expect(response.usage.cachedPromptTextTokens == 10)
        // No price: xai-sdk then shows none.
        #expect(!response.usage.hasCostInUsdTicks)
    }

    @Test func sampledTextComesInOrder() throws {
        let format = XAISampleFormat()
        var encoder = format.encoder(Self.head)
        let usage = Usage(promptTokens: 1, completionTokens: 1)
        var buffer = ByteBuffer()
        encoder.begin(usage, into: &buffer)
        encoder.write(.text("ab", logprobs: nil), choice: 1, usage: usage, into: &buffer)
        encoder.finish(.maxTokens, choice: 1, usage: usage, into: &buffer)
        encoder.end(usage, into: &buffer)
        let responses = try Self.messages(buffer).map {
            try XaiApi_SampleTextResponse(serializedBytes: Array($0.readableBytesView))
        }
        #expect(responses.map(\.choices[0].text) == ["ab", ""])
        #expect(responses.map(\.choices[0].finishReason) == [.reasonInvalid, .reasonMaxLen])
        #expect(responses.allSatisfy { $0.id == Self.head.id && $0.usage.totalTokens == 2 })
        #expect(responses.allSatisfy { $0.choices[0].index == 1 })
    }

    // MARK: Random values

    private static func randomHead(_ random: inout SeededGenerator) -> ChatResponseHead {
        ChatResponseHead(
            id: randomText(&random), created: random.below(1 << 40), model: randomText(&random),
            systemFingerprint: random.below(2) == 0 ? nil : randomText(&random),
            serviceTier: ServiceTier.allCases[random.below(3)])
    }

    private static func randomUsage(_ random: inout SeededGenerator) -> Usage {
        Usage(
            promptTokens: random.below(1 << random.below(20)),
            cachedTokens: random.below(1 << random.below(20)),
            completionTokens: random.below(1 << random.below(20)),
            reasoningTokens: random.below(1 << random.below(20)))
    }

    private static func randomPiece(_ random: inout SeededGenerator) -> AnswerPiece {
        switch random.below(4) {
        case 0: .reasoning(randomText(&random))
        case 1:
            .toolCall(
                ChatToolCall(
                    id: randomText(&random), name: randomText(&random),
                    arguments: randomText(&random)))
        case 2: .text(randomText(&random), logprobs: randomLogprobs(&random))
        default: .text(randomText(&random), logprobs: nil)
        }
    }

    private static func randomLogprobs(_ random: inout SeededGenerator) -> [ChatTokenLogprob] {
        (0..<random.below(3)).map { _ in
            ChatTokenLogprob(
                token: randomCandidate(&random),
                top: (0..<random.below(3)).map { _ in randomCandidate(&random) })
        }
    }

    private static func randomCandidate(
        _ random: inout SeededGenerator
    ) -> ChatTokenLogprob.Candidate {
        .init(
            bytes: (0..<random.below(5)).map { _ in UInt8(random.below(256)) },
            logprob: -Float(random.below(1_000)) / 100)
    }

    /// Often empty, sometimes longer than a length of one or two bytes can say.
    private static func randomText(_ random: inout SeededGenerator) -> String {
        let alphabet = ["a", " ", "\u{0}", "é", "漢", "👩‍👩‍👧", "e\u{301}"]
        let lengths = [0, 1, 2, 5, 40, 200, 20_000]
        let length = lengths[random.below(random.below(20) == 0 ? 7 : 5)]
        return (0..<length).map { _ in alphabet[random.below(alphabet.count)] }.joined()
    }
}

extension SeededGenerator {
    fileprivate mutating func below(_ bound: Int) -> Int {
        Int(next() % UInt64(bound))
    }
}
