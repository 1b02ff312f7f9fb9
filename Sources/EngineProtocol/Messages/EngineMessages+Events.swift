import EngineProto
import GRPC
import InferenceTypes
import NIOCore
import SwiftProtobuf

/// `SubscribeKvEvents`, both ways. Not the path of tokens: a few batches a second per subscriber.
extension EngineMessages {
    /// What a subscriber asks for.
    static func encode(subscribingFrom sequenceNumber: UInt64) throws(GRPCStatus) -> ByteBuffer {
        try bytes(
            Smg_Grpc_Common_SubscribeKvEventsRequest.with {
                $0.startSequenceNumber = sequenceNumber
                $0.loadRecordsBeforeFirstBatch = true
            })
    }

    /// The sequence number that the subscriber wants to go on from; 0 for none.
    static func subscription(_ bytes: ByteBuffer) throws(GRPCStatus) -> UInt64 {
        try request(bytes, as: Smg_Grpc_Common_SubscribeKvEventsRequest.self).startSequenceNumber
    }

    static func encode(_ batch: EngineEventBatch) throws(GRPCStatus) -> ByteBuffer {
        try bytes(
            Smg_Grpc_Common_KvEventBatch.with {
                $0.sequenceNumber = batch.sequenceNumber
                $0.timestamp = batch.timestamp
                if let rank = batch.rank { $0.dpRank = Int32(clamping: rank) }
                $0.events = batch.events.enumerated().map(event)
                if batch.isSnapshot {
                    $0.snapshot = .with {
                        $0.count = 1
                        $0.blocks = UInt64(batch.events.reduce(0) { $0 + $1.storedCount })
                    }
                }
                if let load = batch.load {
                    $0.load = record(load, isAlone: batch.events.isEmpty && !batch.isSnapshot)
                }
            })
    }

    private static func event(
        _ index: Int, _ event: EngineCacheEvent
    ) -> Smg_Grpc_Common_KvCacheEvent {
        .with {
            $0.eventID = UInt64(index)
            switch event {
            case .stored(let stored): $0.stored = blocks(stored)
            case .removed(let hashes):
                $0.removed = .with { $0.blockHashes = hashes.map { Int64(bitPattern: $0) } }
            case .cleared: $0.cleared = Smg_Grpc_Common_KvCacheCleared()
            }
        }
    }

    private static func blocks(_ stored: EngineStoredBlocks) -> Smg_Grpc_Common_KvBlocksStored {
        .with {
            if let parent = stored.parent { $0.parentBlockHash = Int64(bitPattern: parent) }
            if let salt = stored.salt { $0.cacheSalt = salt }
            $0.tier = .device
            $0.blocks = stored.blocks.map { block in
                .with {
                    $0.blockHash = Int64(bitPattern: block.hash)
                    $0.tokenIds = block.tokens.map { UInt32(bitPattern: $0) }
                    $0.blockSize = Int32(clamping: stored.blockTokens)
                }
            }
        }
    }

    private static func record(
        _ load: EngineLoad, isAlone: Bool
    ) -> Smg_Grpc_Common_EngineLoad {
        .with {
            $0.runningRequests = UInt32(clamping: load.runningRequests)
            $0.waitingRequests = UInt32(clamping: load.waitingRequests)
            $0.waitingUncachedTokens = UInt32(clamping: load.waitingUncachedTokens)
            $0.tokenUsage = load.tokenUsage
            $0.genThroughput = load.generationTokensPerSecond
            $0.maxRunningRequests = UInt32(clamping: load.maxRunningRequests)
            $0.cacheHitRate = load.cacheHitRate
            $0.numUsedTokens = Int32(clamping: load.usedTokens)
            $0.maxTotalNumTokens = Int32(clamping: load.maxTokens)
            $0.loadOnly = isAlone
        }
    }

    static func eventBatch(_ bytes: ByteBuffer) throws(GRPCStatus) -> EngineEventBatch {
        let message = try answer(bytes, as: Smg_Grpc_Common_KvEventBatch.self)
        var batch = EngineEventBatch(
            sequenceNumber: message.sequenceNumber, timestamp: message.timestamp)
        batch.rank = message.hasDpRank ? Int(message.dpRank) : nil
        batch.isSnapshot = message.hasSnapshot
        batch.events = message.events.compactMap(event)
        if message.hasLoad { batch.load = load(message.load) }
        return batch
    }

    private static func event(_ message: Smg_Grpc_Common_KvCacheEvent) -> EngineCacheEvent? {
        switch message.data {
        case .stored(let stored):
            return .stored(
                EngineStoredBlocks(
                    blocks: stored.blocks.map { block in
                        EngineStoredBlocks.Block(
                            hash: UInt64(bitPattern: block.blockHash),
                            tokens: block.tokenIds.map { TokenID(bitPattern: $0) })
                    },
                    blockTokens: Int(stored.blocks.first?.blockSize ?? 0),
                    parent: stored.hasParentBlockHash
                        ? UInt64(bitPattern: stored.parentBlockHash) : nil,
                    salt: stored.hasCacheSalt ? stored.cacheSalt : nil))
        case .removed(let removed):
            return .removed(removed.blockHashes.map { UInt64(bitPattern: $0) })
        case .cleared: return .cleared
        case nil: return nil
        }
    }

    private static func load(_ message: Smg_Grpc_Common_EngineLoad) -> EngineLoad {
        var load = EngineLoad()
        load.runningRequests = Int(message.runningRequests)
        load.waitingRequests = Int(message.waitingRequests)
        load.waitingUncachedTokens = Int(message.waitingUncachedTokens)
        load.tokenUsage = message.tokenUsage
        load.generationTokensPerSecond = message.genThroughput
        load.maxRunningRequests = Int(message.maxRunningRequests)
        load.cacheHitRate = message.cacheHitRate
        load.usedTokens = Int(message.numUsedTokens)
        load.maxTokens = Int(message.maxTotalNumTokens)
        return load
    }
}

extension EngineCacheEvent {
    fileprivate var storedCount: Int {
        if case .stored(let stored) = self { stored.blocks.count } else { 0 }
    }
}
