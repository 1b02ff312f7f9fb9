package import NIOCore

/// `POST /v1/messages` (Anthropic, "Messages"), and `POST /v1/messages/count_tokens`, whose request
/// is the same but for what an answer needs.
package struct MessagesFace: AnthropicFace {
    package var name: String { isCounting ? "count_tokens" : "messages" }
    private let isCounting: Bool

    /// - Parameter isCounting: `max_tokens` may be left out.
    package init(isCounting: Bool = false) {
        self.isCounting = isCounting
    }

    package func decode(
        _ body: ByteBuffer, limits: ChatRequestLimits
    ) throws(APIError) -> FaceRequest {
        var decoder = MessagesRequestDecoder(body, limits: limits)
        do {
            try decoder.decode(isCounting: isCounting)
        } catch {
            throw error.apiError(in: body, limits: limits.json)
        }
        return FaceRequest(chat: decoder.request, format: MessagesFormat())
    }
}

/// Errors as Anthropic's API has them ("Errors").
package protocol AnthropicFace: RESTFace {}

extension AnthropicFace {
    package var requestIDFields: [String] { ["request-id"] }

    package func httpStatus(of error: APIError) -> Int { error.kind.status.anthropicHTTP }

    package func write(
        _ error: APIError, requestID: String, into buffer: inout ByteBuffer
    ) {
        error.writeAnthropicBody(requestID: requestID.isEmpty ? nil : requestID, into: &buffer)
    }
}

extension APIError {
    /// `{"type":"error","error":{"type","message"},"request_id"}`.
    ///
    /// - Parameter requestID: left out when nil.
    func writeAnthropicBody(requestID: String?, into buffer: inout ByteBuffer) {
        buffer.writeStaticString("{\"type\":\"error\",\"error\":{\"type\":")
        buffer.writeJSONString(kind.status.anthropicType)
        buffer.writeStaticString(",\"message\":")
        buffer.writeJSONString(message)
        buffer.writeStaticString("}")
        if let requestID {
            buffer.writeStaticString(",\"request_id\":")
            buffer.writeJSONString(requestID)
        }
        buffer.writeStaticString("}")
    }

    /// An event that ends a stream.
    func writeAnthropicEvent(into buffer: inout ByteBuffer) {
        buffer.writeStaticString("event: error\ndata: ")
        writeAnthropicBody(requestID: nil, into: &buffer)
        buffer.writeStaticString("\n\n")
    }
}
