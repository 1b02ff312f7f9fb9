package import InferenceTypes
package import NIOCore

/// One way to ask for a generation and to be told its outcome (chat completions, Responses,
/// Messages, xAI's gRPC …): a codec between bytes and the internal model. Faces do not know of each
/// other, nor of how anything is generated. Stateless.
package protocol Face: Sendable {
    /// In storage, logs and metric labels. Never changes its meaning.
    var name: String { get }
    /// Decodes and checks a whole request. The error names the parameter at fault.
    func decode(
        _ body: ByteBuffer, limits: ChatRequestLimits
    ) throws(APIError) -> FaceRequest
}

/// A face over HTTP's own semantics: its errors have a status and a body.
package protocol RESTFace: Face {
    /// Fields in which the request's id goes back, besides `x-request-id`.
    var requestIDFields: [String] { get }
    /// The parameter that holds what was said: what is found out behind the face, such as that it
    /// is too long, is told of `messages`.
    var promptParameter: String { get }
    func httpStatus(of error: APIError) -> Int
    /// The whole body of an answer that is an error.
    func write(_ error: APIError, requestID: String, into buffer: inout ByteBuffer)
}

extension RESTFace {
    package var requestIDFields: [String] { [] }

    package var promptParameter: String { "messages" }

    package func httpStatus(of error: APIError) -> Int { error.httpStatus }

    package func write(
        _ error: APIError, requestID: String, into buffer: inout ByteBuffer
    ) {
        var error = error
        if error.parameter == "messages" { error.parameter = promptParameter }
        error.writeBody(into: &buffer)
    }
}

/// A decoded request: what is to be generated, and how the answer is to be written.
package struct FaceRequest: Sendable {
    package var chat: ChatRequest
    package var format: any AnswerFormat

    package init(chat: ChatRequest, format: any AnswerFormat) {
        self.chat = chat
        self.format = format
    }
}

/// How the answer to one request is written: the face, and what of the request shows in the answer.
package protocol AnswerFormat: Sendable {
    /// Of the answer's id, such as `chatcmpl-`.
    var idPrefix: String { get }
    /// A streamed answer; `head` is the same for all of it.
    func encoder(_ head: ChatResponseHead) -> any AnswerEncoder
    /// A whole answer.
    func write(_ completion: Completion, into buffer: inout ByteBuffer)
}

/// Writes a streamed answer. Owned by the request's event loop.
///
///     begin → (write | finish)* → end        fail: at any point, also before begin
///
/// Bytes are appended to `buffer`, whole events or messages only; each call's bytes are sent at
/// once.
package protocol AnswerEncoder {
    /// Comes first, with the first output. `usage` has the prompt's tokens, cached ones included.
    mutating func begin(_ usage: Usage, into buffer: inout ByteBuffer)
    /// `usage`: so far, of all choices.
    mutating func write(
        _ piece: AnswerPiece, choice: Int, usage: Usage, into buffer: inout ByteBuffer)
    /// No piece of that choice follows.
    mutating func finish(
        _ reason: FinishReason, choice: Int, usage: Usage, into buffer: inout ByteBuffer)
    /// The end of an answer all of whose choices have finished.
    mutating func end(_ usage: Usage, into buffer: inout ByteBuffer)
    /// The end of an answer that failed under way; never looks like a good end (trap 15).
    mutating func fail(_ error: APIError, into buffer: inout ByteBuffer)
    /// Bytes that keep proxies from giving up on a silent stream (trap 14); also before `begin`.
    /// Where there is room for words they tell how far the request is.
    func keepalive(_ progress: AnswerProgress, into buffer: inout ByteBuffer)
}

extension AnswerEncoder {
    package func keepalive(_ progress: AnswerProgress, into buffer: inout ByteBuffer) {
        buffer.writeComment(progress)
    }
}
