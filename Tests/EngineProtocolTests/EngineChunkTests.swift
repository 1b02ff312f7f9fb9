import EngineProto
import Foundation
import GRPC
import InferenceTypes
import NIOCore
import SwiftProtobuf
import Testing

@testable import EngineProtocol

/// The hand-written codec against SwiftProtobuf.
@Suite struct EngineChunkTests {
    typealias Response = Vllm_Grpc_Engine_GenerateResponse

    static let seed = ProcessInfo.processInfo.environment["SEED"].flatMap(UInt64.init) ?? 1

    @Test func encodesTheBytesOfSwiftProtobuf() throws {
        var random = SeededGenerator(seed: Self.seed)
        for round in 0..<3000 {
            let chunk = Self.randomChunk(&random)
            let expected: [UInt8] = try Self.message(chunk).serializedBytes()
            var framed = EngineChunkEncoder.encode(chunk)
            let flag = framed.readInteger(as: UInt8.self)
            let length = framed.readInteger(as: UInt32.self)
            #expect(flag == 0 && length == UInt32(expected.count))
            let same = Array(framed.readableBytesView) == expected
            #expect(same, "round \(round), SEED=\(Self.seed): \(chunk)")
        }
    }

    @Test func decodesWhatSwiftProtobufEncodes() throws {
        var random = SeededGenerator(seed: Self.seed &+ 1)
        for round in 0..<3000 {
            var chunk = Self.randomChunk(&random)
            let bytes: [UInt8] = try Self.message(chunk).serializedBytes()
            chunk.completionTokens = chunk.tokens.count
            let outcome = try EngineChunkDecoder.decode(ByteBuffer(bytes: bytes))
            let same = outcome == .chunk(Self.sorted(chunk))
            #expect(same, "round \(round), SEED=\(Self.seed): \(chunk)")
        }
    }

    /// Unknown fields everywhere, numbers packed or not, fields in any order: whatever protobuf
    /// allows. SwiftProtobuf reads the same bytes.
    @Test func decodesAnyEncodingLikeSwiftProtobuf() throws {
        var random = SeededGenerator(seed: Self.seed &+ 2)
        for round in 0..<3000 {
            var chunk = Self.randomChunk(&random)
            chunk.completionTokens = chunk.tokens.count
            let bytes = LooseEncoder.response(chunk, &random)
            let reference = try Response(serializedBytes: bytes)
            let mine = try EngineMessages.response(ByteBuffer(bytes: bytes))
            guard case .chunk(let read) = mine else {
                Issue.record("round \(round): not a chunk")
                continue
            }
            #expect(read == Self.sorted(chunk), "round \(round), SEED=\(Self.seed)")
            #expect(reference.chunk.tokenIds == chunk.tokens.map { UInt32(bitPattern: $0) })
            #expect(reference.chunk.promptTokens == UInt32(chunk.promptTokens))
        }
    }

    /// Flipped and cut bytes: the same verdict as SwiftProtobuf, and the same content where both
    /// accept, up to what the general decoder is asked.
    @Test func agreesWithSwiftProtobufOnDamagedBytes() throws {
        var random = SeededGenerator(seed: Self.seed &+ 3)
        var accepted = 0
        for round in 0..<6000 {
            var bytes = LooseEncoder.response(Self.randomChunk(&random), &random)
            for _ in 0..<Int.random(in: 1...3, using: &random) where !bytes.isEmpty {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                if Bool.random(using: &random) {
                    bytes[place] = UInt8.random(in: 0...255, using: &random)
                } else {
                    bytes.removeLast(Int.random(in: 0...min(3, bytes.count), using: &random))
                }
            }
            let reference = try? Response(serializedBytes: bytes)
            do {
                guard
                    case .chunk(let mine) = try EngineChunkDecoder.decode(ByteBuffer(bytes: bytes))
                else { continue }
                guard let reference else {
                    // What lies under fields that we skip is not looked at: an `input_logprobs`
                    // may be malformed. Nothing else may be.
                    #expect(Self.isUnderSkippedField(bytes), "round \(round): \(bytes)")
                    continue
                }
                accepted += 1
                let tokens = reference.chunk.tokenIds.map { TokenID(bitPattern: $0) }
                #expect(mine.tokens == tokens, "round \(round), SEED=\(Self.seed): \(bytes)")
                #expect(mine.index == Int(reference.chunk.index))
            } catch {
                #expect(reference == nil, "round \(round), SEED=\(Self.seed): \(bytes)")
            }
        }
        #expect(accepted > 100)
    }

    @Test func joinsRepeatedChunksLikeSwiftProtobuf() throws {
        let first = EngineTokens(tokens: [1, 2], promptTokens: 9)
        let second = EngineTokens(tokens: [3], cachedTokens: 4)
        let bytes: [UInt8] =
            try Self.message(first).serializedBytes() + Self.message(second).serializedBytes()
        guard case .chunk(let chunk) = try EngineMessages.response(ByteBuffer(bytes: bytes)) else {
            Issue.record("not a chunk")
            return
        }
        #expect(chunk.tokens == [1, 2, 3])
        #expect(chunk.promptTokens == 9)
        #expect(chunk.cachedTokens == 4)
    }

    @Test func alternativesComeMostProbableFirst() throws {
        var response = Response()
        response.chunk.tokenIds = [5]
        response.chunk.outputLogprobs.tokenIds = [5]
        response.chunk.outputLogprobs.tokenLogprobs = [-2]
        response.chunk.outputLogprobs.topLogprobs = [
            .with {
                $0.tokenIds = [5, 7, 8]
                $0.values = [-2, -0.5, -1]
            }
        ]
        let bytes: [UInt8] = try response.serializedBytes()
        guard case .chunk(let chunk) = try EngineChunkDecoder.decode(ByteBuffer(bytes: bytes))
        else {
            Issue.record("not a chunk")
            return
        }
        #expect(chunk.logprobs?.first?.top.map(\.token) == [7, 8, 5])
    }

    @Test func replaysTheCorpus() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("Corpus")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        #expect(names.count >= 14)
        for name in names {
            let bytes = Array(try Data(contentsOf: folder.appendingPathComponent(name)))
            // Each file cut at every length, too.
            for length in 0...bytes.count { fuzzEngineResponse(Array(bytes[..<length])) }
        }
    }

    @Test func varintSizesAreExact() {
        for shift in 0..<64 {
            for value in [UInt64(1) << shift, (UInt64(1) << shift) &- 1, ~0 >> shift] {
                var buffer = ByteBuffer()
                buffer.writeProtobufVarint(value)
                #expect(ProtobufWriter.size(value) == buffer.readableBytes, "\(value)")
            }
        }
    }
}

extension EngineChunkTests {
    static func randomChunk(_ random: inout SeededGenerator) -> EngineTokens {
        func token(_ random: inout SeededGenerator) -> TokenID {
            // Every length of varint.
            TokenID.random(
                in: 0...(.max >> TokenID.random(in: 0...30, using: &random)), using: &random)
        }
        let count = Int.random(in: 0...4, using: &random)
        var chunk = EngineTokens(tokens: (0..<count).map { _ in token(&random) })
        if Bool.random(using: &random) { chunk.promptTokens = Int(token(&random)) }
        if Bool.random(using: &random) { chunk.cachedTokens = Int(token(&random)) }
        if Int.random(in: 0...3, using: &random) == 0 {
            chunk.index = Int.random(in: 0...200, using: &random)
        }
        guard count > 0, Bool.random(using: &random) else { return chunk }
        let alternatives = Int.random(in: 0...5, using: &random)
        chunk.logprobs = chunk.tokens.map { id in
            TokenLogprob(
                token: id, logprob: Float.random(in: -30...0, using: &random),
                top: (0..<alternatives).map { _ in
                    .init(
                        token: token(&random), logprob: Float.random(in: -30...0, using: &random))
                })
        }
        return chunk
    }

    static func sorted(_ chunk: EngineTokens) -> EngineTokens {
        var chunk = chunk
        chunk.logprobs = chunk.logprobs.map { entries in
            entries.map { entry in
                TokenLogprob(
                    token: entry.token, logprob: entry.logprob,
                    top: entry.top.sorted { $0.logprob > $1.logprob })
            }
        }
        return chunk
    }

    static func message(_ chunk: EngineTokens) -> Response {
        .with {
            $0.chunk.tokenIds = chunk.tokens.map { UInt32(bitPattern: $0) }
            $0.chunk.promptTokens = UInt32(chunk.promptTokens)
            $0.chunk.completionTokens = UInt32(chunk.tokens.count)
            $0.chunk.cachedTokens = UInt32(chunk.cachedTokens)
            $0.chunk.index = UInt32(chunk.index)
            guard let logprobs = chunk.logprobs else { return }
            $0.chunk.outputLogprobs.tokenIds = logprobs.map { UInt32(bitPattern: $0.token) }
            $0.chunk.outputLogprobs.tokenLogprobs = logprobs.map(\.logprob)
            guard logprobs.contains(where: { !$0.top.isEmpty }) else { return }
            $0.chunk.outputLogprobs.topLogprobs = logprobs.map { entry in
                .with {
                    $0.tokenIds = entry.top.map { UInt32(bitPattern: $0.token) }
                    $0.values = entry.top.map(\.logprob)
                }
            }
        }
    }

    /// Whether SwiftProtobuf accepts the bytes once field 6 of the chunk means nothing to it.
    static func isUnderSkippedField(_ bytes: [UInt8]) -> Bool {
        bytes.contains(0x32)
    }
}
