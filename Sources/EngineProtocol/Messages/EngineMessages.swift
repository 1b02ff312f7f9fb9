import EngineProto
import GRPC
import InferenceTypes
import NIOCore
import SwiftProtobuf

/// Conversions between the wire's messages and our structs: everything but a token's chunk. No
/// generated type leaves this target.
enum EngineMessages {
    /// - Throws: INVALID_ARGUMENT: what we read here was sent as a request.
    static func request<Message: SwiftProtobuf.Message>(
        _ bytes: ByteBuffer, as type: Message.Type
    ) throws(GRPCStatus) -> Message {
        do {
            return try Message(serializedBytes: Array(bytes.readableBytesView))
        } catch {
            throw GRPCStatus(.invalidArgument, "malformed \(Message.protoMessageName): \(error)")
        }
    }

    /// - Throws: INTERNAL: what we read here was sent as an answer.
    static func answer<Message: SwiftProtobuf.Message>(
        _ bytes: ByteBuffer, as type: Message.Type
    ) throws(GRPCStatus) -> Message {
        do {
            return try Message(serializedBytes: Array(bytes.readableBytesView))
        } catch {
            throw GRPCStatus(.internalError, "malformed \(Message.protoMessageName): \(error)")
        }
    }

    /// - Throws: INTERNAL for a message over protobuf's 2 GiB.
    static func bytes(_ message: some SwiftProtobuf.Message) throws(GRPCStatus) -> ByteBuffer {
        do {
            let bytes: [UInt8] = try message.serializedBytes()
            return ByteBuffer(bytes: bytes)
        } catch {
            throw GRPCStatus(.internalError, "cannot encode: \(error)")
        }
    }

    static func abortRequest(_ bytes: ByteBuffer) throws(GRPCStatus) -> [String] {
        try request(bytes, as: Vllm_Grpc_Engine_AbortRequest.self).requestIds
    }

    static func abortRequest(_ ids: [String]) throws(GRPCStatus) -> ByteBuffer {
        try bytes(Vllm_Grpc_Engine_AbortRequest.with { $0.requestIds = ids })
    }

    /// The rank asked for, nil for all.
    static func loadsRequest(_ bytes: ByteBuffer) throws(GRPCStatus) -> Int? {
        let message = try request(bytes, as: Vllm_Grpc_Engine_GetLoadsRequest.self)
        return message.hasDpRank ? Int(message.dpRank) : nil
    }

    /// The last message of a choice. Its `output_ids` and `completion_tokens` are those of
    /// `tokens`: all of the choice's, or the last chunk's while streaming.
    static func complete(_ tokens: EngineTokens, _ finish: EngineFinish) -> ByteBuffer {
        var complete = Vllm_Grpc_Engine_GenerateComplete()
        complete.outputIds = tokens.tokens.map { UInt32(bitPattern: $0) }
        complete.finishReason = EngineFinishWords.word(of: finish.reason)
        complete.promptTokens = UInt32(clamping: finish.usage.promptTokens)
        complete.completionTokens = UInt32(clamping: tokens.tokens.count)
        complete.cachedTokens = UInt32(clamping: finish.usage.cachedTokens)
        complete.index = UInt32(clamping: finish.index)
        if let logprobs = tokens.logprobs, !logprobs.isEmpty {
            complete.outputLogprobs = outputLogprobs(logprobs)
        }
        switch finish.reason {
        case .stopToken(let token): complete.matchedTokenID = UInt32(bitPattern: token)
        case .stopString(let text): complete.matchedStopStr = text
        default: break
        }
        do {
            return try bytes(Vllm_Grpc_Engine_GenerateResponse.with { $0.complete = complete })
        } catch {
            fatalError("a choice's tokens exceed protobuf's 2 GiB")
        }
    }

    private static func outputLogprobs(
        _ logprobs: [TokenLogprob]
    ) -> Vllm_Grpc_Engine_OutputLogProbs {
        var message = Vllm_Grpc_Engine_OutputLogProbs()
        message.tokenLogprobs = logprobs.map(\.logprob)
        message.tokenIds = logprobs.map { UInt32(bitPattern: $0.token) }
        guard logprobs.contains(where: { !$0.top.isEmpty }) else { return message }
        message.topLogprobs = logprobs.map { entry in
            .with {
                $0.values = entry.top.map(\.logprob)
                $0.tokenIds = entry.top.map { UInt32(bitPattern: $0.token) }
            }
        }
        return message
    }

    private static func logprobs(
        _ message: Vllm_Grpc_Engine_OutputLogProbs
    ) -> [TokenLogprob] {
        EngineLogprobs.join(
            message.tokenLogprobs, message.tokenIds.map { TokenID(bitPattern: $0) },
            message.topLogprobs.map {
                EngineLogprobs.join($0.values, $0.tokenIds.map { TokenID(bitPattern: $0) })
            })
    }
}

extension EngineMessages {
    /// A message of a `Generate` answer.
    enum Response {
        /// `completionTokens` as on the wire.
        case chunk(EngineTokens)
        /// `tokens` are those of the message, which a streaming reader has seen already.
        case complete(tokens: EngineTokens, word: String, matched: FinishReason?)
    }

    /// - Throws: INTERNAL for a malformed message.
    static func response(_ message: ByteBuffer) throws(GRPCStatus) -> Response {
        do {
            if case .chunk(let chunk) = try EngineChunkDecoder.decode(message) {
                return .chunk(chunk)
            }
        } catch {
            throw GRPCStatus(.internalError, "malformed GenerateResponse")
        }
        let general = try answer(message, as: Vllm_Grpc_Engine_GenerateResponse.self)
        switch general.response {
        case .chunk(let chunk):
            return .chunk(
                EngineTokens(
                    tokens: chunk.tokenIds.map { TokenID(bitPattern: $0) },
                    logprobs: chunk.hasOutputLogprobs ? logprobs(chunk.outputLogprobs) : nil,
                    promptTokens: Int(chunk.promptTokens),
                    completionTokens: Int(chunk.completionTokens),
                    cachedTokens: Int(chunk.cachedTokens), index: Int(chunk.index)))
        case .complete(let complete):
            let matched: FinishReason? =
                switch complete.matchedStop {
                case .matchedTokenID(let token): .stopToken(TokenID(bitPattern: token))
                case .matchedStopStr(let text): .stopString(text)
                case nil: nil
                }
            return .complete(
                tokens: EngineTokens(
                    tokens: complete.outputIds.map { TokenID(bitPattern: $0) },
                    logprobs: complete.hasOutputLogprobs ? logprobs(complete.outputLogprobs) : nil,
                    promptTokens: Int(complete.promptTokens),
                    completionTokens: Int(complete.completionTokens),
                    cachedTokens: Int(complete.cachedTokens), index: Int(complete.index)),
                word: complete.finishReason, matched: matched)
        case nil:
            throw GRPCStatus(.internalError, "GenerateResponse without content")
        }
    }
}
