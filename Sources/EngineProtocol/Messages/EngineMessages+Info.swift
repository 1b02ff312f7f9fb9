import EngineProto
import GRPC
import InferenceTypes
import NIOCore
import SwiftProtobuf

/// The answers of the information methods, both ways.
extension EngineMessages {
    static func encode(_ health: EngineHealth) throws(GRPCStatus) -> ByteBuffer {
        try bytes(
            Vllm_Grpc_Engine_HealthCheckResponse.with {
                $0.healthy = health.isHealthy
                $0.message = health.message
            })
    }

    static func health(_ bytes: ByteBuffer) throws(GRPCStatus) -> EngineHealth {
        let message = try answer(bytes, as: Vllm_Grpc_Engine_HealthCheckResponse.self)
        return EngineHealth(isHealthy: message.healthy, message: message.message)
    }

    static func encode(_ model: EngineModelInfo) throws(GRPCStatus) -> ByteBuffer {
        try bytes(
            Vllm_Grpc_Engine_GetModelInfoResponse.with {
                $0.modelPath = model.modelPath
                $0.isGeneration = model.isGeneration
                $0.maxContextLength = UInt32(clamping: model.contextTokens)
                $0.vocabSize = UInt32(clamping: model.vocabularySize)
                $0.supportsVision = model.supportsVision
                $0.servedModelName = model.servedModelName
                $0.tokenizerPath = model.tokenizerPath
                $0.modelType = model.modelType
                $0.architectures = model.architectures
                $0.eosTokenIds = model.endOfSequenceTokens
                $0.padTokenID = model.padToken
                $0.bosTokenID = model.beginningOfSequenceToken
                $0.maxReqInputLen = Int32(clamping: model.maxInputTokens)
                $0.defaultSamplingParamsJson = model.defaultSamplingJSON
            })
    }

    static func modelInfo(_ bytes: ByteBuffer) throws(GRPCStatus) -> EngineModelInfo {
        let message = try answer(bytes, as: Vllm_Grpc_Engine_GetModelInfoResponse.self)
        var model = EngineModelInfo()
        model.modelPath = message.modelPath
        model.isGeneration = message.isGeneration
        model.contextTokens = Int(message.maxContextLength)
        model.vocabularySize = Int(message.vocabSize)
        model.supportsVision = message.supportsVision
        model.servedModelName = message.servedModelName
        model.tokenizerPath = message.tokenizerPath
        model.modelType = message.modelType
        model.architectures = message.architectures
        model.endOfSequenceTokens = message.eosTokenIds
        model.padToken = message.padTokenID
        model.beginningOfSequenceToken = message.bosTokenID
        model.maxInputTokens = Int(message.maxReqInputLen)
        model.defaultSamplingJSON = message.defaultSamplingParamsJson
        return model
    }

    static func encode(_ server: EngineServerInfo) throws(GRPCStatus) -> ByteBuffer {
        try bytes(
            Vllm_Grpc_Engine_GetServerInfoResponse.with {
                $0.serverType = server.serverType
                $0.activeRequests = UInt32(clamping: server.activeRequests)
                $0.isPaused = server.isPaused
                $0.uptimeSeconds = server.uptimeSeconds
                $0.maxNumSeqs = Int32(clamping: server.slots)
                $0.blockSize = Int32(clamping: server.blockTokens)
                $0.dataParallelSize = Int32(clamping: server.dataParallelSize)
                $0.kvCacheDtype = server.kvCacheType
                $0.modelDtype = server.modelType
                $0.attentionBackend = server.attentionBackend
            })
    }

    static func serverInfo(_ bytes: ByteBuffer) throws(GRPCStatus) -> EngineServerInfo {
        let message = try answer(bytes, as: Vllm_Grpc_Engine_GetServerInfoResponse.self)
        var server = EngineServerInfo()
        server.serverType = message.serverType
        server.activeRequests = Int(message.activeRequests)
        server.isPaused = message.isPaused
        server.uptimeSeconds = message.uptimeSeconds
        server.slots = Int(message.maxNumSeqs)
        server.blockTokens = Int(message.blockSize)
        server.dataParallelSize = Int(message.dataParallelSize)
        server.kvCacheType = message.kvCacheDtype
        server.modelType = message.modelDtype
        server.attentionBackend = message.attentionBackend
        return server
    }

    static func encode(_ loads: EngineLoads) throws(GRPCStatus) -> ByteBuffer {
        try bytes(
            Vllm_Grpc_Engine_GetLoadsResponse.with {
                $0.timestamp = loads.timestamp
                $0.version = loads.version
                $0.dpRankCount = Int32(clamping: loads.ranks.count)
                $0.loads = loads.ranks.map(schedulerLoad)
            })
    }

    private static func schedulerLoad(_ load: EngineLoad) -> Vllm_Grpc_Engine_SchedulerLoad {
        .with {
            $0.dpRank = Int32(clamping: load.rank)
            $0.numRunningReqs = Int32(clamping: load.runningRequests)
            $0.numWaitingReqs = Int32(clamping: load.waitingRequests)
            $0.numTotalReqs = Int32(clamping: load.runningRequests + load.waitingRequests)
            $0.numUsedTokens = Int32(clamping: load.usedTokens)
            $0.maxTotalNumTokens = Int32(clamping: load.maxTokens)
            $0.tokenUsage = load.tokenUsage
            $0.genThroughput = load.generationTokensPerSecond
            $0.cacheHitRate = load.cacheHitRate
            $0.utilization = load.utilization
            $0.maxRunningRequests = Int32(clamping: load.maxRunningRequests)
            $0.numWaitingUncachedTokens = Int32(clamping: load.waitingUncachedTokens)
        }
    }

    static func loads(_ bytes: ByteBuffer) throws(GRPCStatus) -> EngineLoads {
        let message = try answer(bytes, as: Vllm_Grpc_Engine_GetLoadsResponse.self)
        var loads = EngineLoads()
        loads.timestamp = message.timestamp
        loads.version = message.version
        loads.ranks = message.loads.map { rank in
            var load = EngineLoad()
            load.rank = Int(rank.dpRank)
            load.runningRequests = Int(rank.numRunningReqs)
            load.waitingRequests = Int(rank.numWaitingReqs)
            load.usedTokens = Int(rank.numUsedTokens)
            load.maxTokens = Int(rank.maxTotalNumTokens)
            load.tokenUsage = rank.tokenUsage
            load.generationTokensPerSecond = rank.genThroughput
            load.cacheHitRate = rank.cacheHitRate
            load.utilization = rank.utilization
            load.maxRunningRequests = Int(rank.maxRunningRequests)
            load.waitingUncachedTokens = Int(rank.numWaitingUncachedTokens)
            return load
        }
        return loads
    }
}
