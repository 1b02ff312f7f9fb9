package import NIOCore
import SwiftProtobuf
import XAIProto

/// `xai_api.Chat/GetCompletion` and `GetCompletionChunk`: xAI's gRPC face. Both take the same
/// message, so which one was called is told apart from it.
package struct XAIFace: Face {
    package var name: String { "xai_grpc" }

    private let isStreaming: Bool

    package init(isStreaming: Bool) {
        self.isStreaming = isStreaming
    }

    /// - Parameter body: a `GetCompletionsRequest`, without gRPC's prefix.
    package func decode(
        _ body: ByteBuffer, limits: ChatRequestLimits
    ) throws(APIError) -> FaceRequest {
        let message = try XaiApi_GetCompletionsRequest(xai: body)
        var chat = try XAIRequestReader(message, limits: limits).request()
        chat.isStreaming = isStreaming
        return FaceRequest(chat: chat, format: XAIFormat(settings: message.effectiveSettings))
    }
}

/// How completions are answered over gRPC: whole answers without gRPC's prefix, streams with it.
package struct XAIFormat: AnswerFormat {
    /// The request's parameters, which whole answers repeat.
    let settings: XaiApi_RequestSettings

    /// For requests that came over another face.
    package init() {
        self.init(settings: XaiApi_RequestSettings())
    }

    init(settings: XaiApi_RequestSettings) {
        self.settings = settings
    }

    /// xAI's ids are bare.
    package var idPrefix: String { "" }

    package func encoder(_ head: ChatResponseHead) -> any AnswerEncoder {
        XAIChunkEncoder(head)
    }

    /// Appends a `GetChatCompletionResponse`.
    package func write(_ completion: Completion, into buffer: inout ByteBuffer) {
        var response = XaiApi_GetChatCompletionResponse(completion)
        response.settings = settings
        buffer.writeMessage(response)
    }
}

extension Message {
    /// Throws `invalidValue` for bytes that are not this message, strings that are not UTF-8
    /// included.
    init(xai bytes: ByteBuffer) throws(APIError) {
        do {
            try self.init(serializedBytes: Array(bytes.readableBytesView))
        } catch {
            throw APIError(.invalidValue, "The message is not a valid \(Self.protoMessageName).")
        }
    }
}

extension ByteBuffer {
    /// Appends a message of ours.
    mutating func writeMessage(_ message: some Message) {
        do {
            let bytes: [UInt8] = try message.serializedBytes()
            writeBytes(bytes)
        } catch {
            // Only messages over 2 GiB and proto2's required fields fail; answers have neither.
            preconditionFailure("an answer cannot be encoded: \(error)")
        }
    }
}
