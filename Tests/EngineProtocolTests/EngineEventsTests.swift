import EngineProto
import InferenceTypes
import NIOCore
import SwiftProtobuf
import Testing

@testable import EngineProtocol

@Suite struct EngineEventsTests {
    private typealias Batch = Smg_Grpc_Common_KvEventBatch

    private static func batch() -> EngineEventBatch {
        var load = EngineLoad()
        load.runningRequests = 3
        load.waitingRequests = 2
        load.waitingUncachedTokens = 700
        load.tokenUsage = 0.25
        load.usedTokens = 1_000
        load.maxTokens = 4_000
        load.maxRunningRequests = 16
        load.generationTokensPerSecond = 120
        load.cacheHitRate = 0.5
        var batch = EngineEventBatch(sequenceNumber: 9, timestamp: 1.5)
        batch.rank = 1
        batch.isSnapshot = true
        batch.load = load
        batch.events = [
            .cleared,
            .stored(
                EngineStoredBlocks(
                    blocks: [
                        .init(hash: .max, tokens: [1, 2]), .init(hash: 1 << 63, tokens: [3, 4]),
                    ], blockTokens: 2, parent: 5, salt: "18446744073709551615")),
            .stored(
                EngineStoredBlocks(
                    blocks: [.init(hash: 1, tokens: [])], blockTokens: 2, parent: nil, salt: nil)),
            .removed([.max, 0, 7]),
        ]
        return batch
    }

    @Test func aBatchReadsBackAsItWas() throws {
        let batch = Self.batch()
        #expect(try EngineMessages.eventBatch(EngineMessages.encode(batch)) == batch)
        let empty = EngineEventBatch(sequenceNumber: 0, timestamp: 0)
        #expect(try EngineMessages.eventBatch(EngineMessages.encode(empty)) == empty)
    }

    @Test func fieldsAreWhereTheProtocolHasThem() throws {
        let bytes = try EngineMessages.encode(Self.batch())
        let message = try Batch(serializedBytes: Array(bytes.readableBytesView))
        #expect(message.sequenceNumber == 9 && message.dpRank == 1)
        #expect(message.snapshot.blocks == 3 && message.snapshot.count == 1)
        #expect(message.load.runningRequests == 3 && message.load.waitingRequests == 2)
        #expect(message.load.waitingUncachedTokens == 700 && message.load.tokenUsage == 0.25)
        #expect(message.load.numUsedTokens == 1_000 && !message.load.loadOnly)
        #expect(message.events[0].cleared == .init())
        #expect(message.events[1].stored.parentBlockHash == 5)
        #expect(message.events[1].stored.blocks.map(\.blockHash) == [-1, .min])
        #expect(message.events[1].stored.blocks[0].tokenIds == [1, 2])
        #expect(message.events[3].removed.blockHashes == [-1, 0, 7])
    }

    @Test func aLoadOnItsOwnSaysSo() throws {
        var batch = Self.batch()
        (batch.events, batch.isSnapshot) = ([], false)
        let bytes = try EngineMessages.encode(batch)
        let message = try Batch(serializedBytes: Array(bytes.readableBytesView))
        #expect(message.load.loadOnly)
    }

    @Test func whatIsNotABatchIsAnError() {
        #expect(throws: (any Error).self) {
            try EngineMessages.eventBatch(ByteBuffer(bytes: [0x1A, 0xFF]))
        }
    }
}
