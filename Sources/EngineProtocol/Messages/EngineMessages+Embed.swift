import EngineProto
import GRPC
package import InferenceTypes
import NIOCore
import SwiftProtobuf

/// What is to be embedded: one text.
package struct EngineEmbedRequest: Sendable, Hashable {
    /// Empty for a request without a name.
    package var id: String
    package var tokens: [TokenID]
    package var trace: TraceContext?

    package init(id: String, tokens: [TokenID], trace: TraceContext? = nil) {
        self.id = id
        self.tokens = tokens
        self.trace = trace
    }
}

/// One text's vector.
package struct EngineEmbedding: Sendable, Hashable {
    /// Of length 1.
    package var vector: [Float]
    package var promptTokens: Int

    package init(vector: [Float], promptTokens: Int) {
        self.vector = vector
        self.promptTokens = promptTokens
    }
}

extension EngineMessages {
    static func embedRequest(_ request: EngineEmbedRequest) throws(GRPCStatus) -> ByteBuffer {
        try bytes(
            Vllm_Grpc_Engine_EmbedRequest.with {
                $0.requestID = request.id
                $0.tokenized.inputIds = request.tokens.map { UInt32(bitPattern: $0) }
            })
    }

    /// - Throws: INVALID_ARGUMENT.
    static func embedRequest(
        _ message: ByteBuffer, _ metadata: GRPCMetadata, limits: EngineRequestLimits
    ) throws(GRPCStatus) -> EngineEmbedRequest {
        let message = try request(message, as: Vllm_Grpc_Engine_EmbedRequest.self)
        guard message.requestID.utf8.count <= limits.requestIDBytes else {
            throw .invalid("request_id", "longer than \(limits.requestIDBytes) bytes")
        }
        let ids = message.tokenized.inputIds
        guard !ids.isEmpty else { throw .invalid("input_ids", "empty") }
        guard ids.count <= limits.promptTokens else {
            throw .invalid("input_ids", "more than \(limits.promptTokens) tokens")
        }
        return EngineEmbedRequest(
            id: message.requestID, tokens: ids.map { TokenID(bitPattern: $0) },
            trace: TraceContext(
                traceparent: metadata.fields.values(named: EngineMetadataKey.traceParent),
                tracestate: metadata.fields.values(named: EngineMetadataKey.traceState)))
    }

    static func encode(_ embedding: EngineEmbedding) throws(GRPCStatus) -> ByteBuffer {
        try bytes(
            Vllm_Grpc_Engine_EmbedResponse.with {
                $0.embedding = embedding.vector
                $0.embeddingDim = UInt32(clamping: embedding.vector.count)
                $0.promptTokens = UInt32(clamping: embedding.promptTokens)
            })
    }

    /// - Throws: INTERNAL.
    static func embedding(_ message: ByteBuffer) throws(GRPCStatus) -> EngineEmbedding {
        let message = try answer(message, as: Vllm_Grpc_Engine_EmbedResponse.self)
        guard !message.embedding.isEmpty, message.embedding.allSatisfy(\.isFinite) else {
            throw GRPCStatus(.internalError, "the worker sent no embedding")
        }
        return EngineEmbedding(
            vector: message.embedding, promptTokens: Int(message.promptTokens))
    }
}
