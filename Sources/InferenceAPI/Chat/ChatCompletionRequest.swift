package import NIOCore

/// `POST /v1/chat/completions`: from the body's bytes to a `ChatRequest` (API.md §4).
package enum ChatCompletionRequest {
    /// Decodes and checks a whole body. The error names the parameter at fault.
    package static func decode(
        _ body: ByteBuffer, limits: ChatRequestLimits = ChatRequestLimits()
    ) throws(APIError) -> ChatRequest {
        var decoder = ChatRequestDecoder(body, limits: limits)
        do {
            return try decoder.decode()
        } catch {
            throw error.apiError(in: body, limits: limits.json)
        }
    }
}
