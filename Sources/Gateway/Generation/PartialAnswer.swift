import InferenceAPI
import InferenceTypes
import NIOCore

/// The answer to one request in the making, as its face writes it: a stream, a whole, or both where
/// the stream is kept too. Owned by its exchange. An object: each token would copy what it holds.
final class PartialAnswer {
    let request: ChatRequest
    let format: any AnswerFormat
    let head: ChatResponseHead
    /// Nil for an answer that is not streamed.
    private var encoder: (any AnswerEncoder)?
    /// Nil for a stream that is not kept.
    private var collector: CompletionCollector?
    private(set) var hasBegun = false

    /// - Parameter isKept: `completion` is wanted of a stream, too.
    init(
        _ request: ChatRequest, _ format: any AnswerFormat, _ head: ChatResponseHead, isKept: Bool
    ) {
        (self.request, self.format, self.head) = (request, format, head)
        if request.isStreaming { encoder = format.encoder(head) }
        if !request.isStreaming || isKept {
            collector = CompletionCollector(
                choiceCount: request.totalChoices,
                wantsLogprobs: request.sampling.topLogprobs != nil)
        }
    }

    var isStreaming: Bool { encoder != nil }

    /// Takes a piece that is not streamed, or a streamed one that is to be kept.
    func collect(_ piece: AnswerPiece, choice: Int) {
        collector?.append(piece, choice: choice)
    }

    func collect(_ reason: FinishReason, choice: Int) {
        collector?.finish(reason, choice: choice)
    }

    /// Of a whole answer, or of a stream that is kept.
    func completion(_ usage: Usage) -> Completion {
        guard let collector else { preconditionFailure("an answer that was not collected") }
        return collector.completion(head, usage)
    }

    // MARK: A stream's bytes

    func write(
        _ piece: AnswerPiece, choice: Int, usage: Usage, into buffer: inout ByteBuffer
    ) {
        begin(usage, into: &buffer)
        encoder?.write(piece, choice: choice, usage: usage, into: &buffer)
    }

    func write(
        _ reason: FinishReason, choice: Int, usage: Usage, into buffer: inout ByteBuffer
    ) {
        begin(usage, into: &buffer)
        encoder?.finish(reason, choice: choice, usage: usage, into: &buffer)
    }

    func writeEnd(_ usage: Usage, into buffer: inout ByteBuffer) {
        begin(usage, into: &buffer)
        encoder?.end(usage, into: &buffer)
    }

    func write(_ error: APIError, into buffer: inout ByteBuffer) {
        encoder?.fail(error, into: &buffer)
    }

    func writeKeepalive(_ progress: AnswerProgress, into buffer: inout ByteBuffer) {
        encoder?.keepalive(progress, into: &buffer)
    }

    private func begin(_ usage: Usage, into buffer: inout ByteBuffer) {
        guard !hasBegun else { return }
        hasBegun = true
        encoder?.begin(usage, into: &buffer)
    }
}
