import InferenceAPI
import InferenceTypes
import NIOCore
import Tokenization

/// The body of one answer in the making: events at once for a stream, a whole object at the end
/// otherwise. Owned by its exchange.
struct ChatAnswer {
    private struct Choice {
        var text: [UInt8] = []
        var logprobs: [ChatTokenLogprob] = []
        var finish: FinishReason?
    }

    let isStreaming: Bool
    private let includesUsage: Bool
    private let wantsLogprobs: Bool
    private let head: ChatResponseHead
    private let pieces: PieceTable
    private var encoder: ChatStreamEncoder
    /// Empty for a stream.
    private var choices: [Choice]

    static let keepalive: ByteBuffer = {
        var buffer = ByteBuffer()
        ChatStreamEncoder.writeKeepalive(into: &buffer)
        return buffer
    }()

    init(
        id: String, created: Int, model: ServedModel, pieces: PieceTable, request: ChatRequest
    ) {
        isStreaming = request.isStreaming
        includesUsage = request.includesUsage
        wantsLogprobs = request.sampling.topLogprobs != nil
        self.pieces = pieces
        head = ChatResponseHead(
            id: id, created: created, model: model.name, systemFingerprint: model.fingerprint,
            serviceTier: request.serviceTier ?? .standard)
        encoder = ChatStreamEncoder(
            head: head, choiceCount: request.isStreaming ? request.choiceCount : 0)
        choices =
            request.isStreaming
            ? [] : Array(repeating: Choice(), count: request.choiceCount)
    }

    /// Takes more text of a choice; the event to send, for a stream.
    mutating func delta(choice: Int, text: [UInt8], logprobs: [TokenLogprob]?) -> ByteBuffer? {
        let entries = logprobs.map { $0.map(entry) }
        guard isStreaming else {
            choices[choice].text += text
            if let entries { choices[choice].logprobs += entries }
            return nil
        }
        var buffer = ByteBuffer()
        encoder.writeContent(
            String(decoding: text, as: UTF8.self), logprobs: entries, choice: choice, into: &buffer)
        return buffer
    }

    /// Ends a choice; the event to send, for a stream.
    mutating func finish(choice: Int, reason: FinishReason) -> ByteBuffer? {
        guard isStreaming else {
            choices[choice].finish = reason
            return nil
        }
        var buffer = ByteBuffer()
        encoder.writeFinish(reason, choice: choice, into: &buffer)
        return buffer
    }

    /// The end of a stream.
    mutating func last(_ usage: Usage) -> ByteBuffer {
        var buffer = ByteBuffer()
        if includesUsage { encoder.writeUsage(usage, into: &buffer) }
        encoder.writeDone(into: &buffer)
        return buffer
    }

    /// The whole answer.
    func whole(_ usage: Usage) -> ByteBuffer {
        let choices = self.choices.map { choice in
            var whole = ChatCompletionResponse.Choice(
                content: String(decoding: choice.text, as: UTF8.self),
                finishReason: choice.finish ?? .cancelled)
            whole.logprobs = wantsLogprobs ? choice.logprobs : nil
            return whole
        }
        var buffer = ByteBuffer()
        ChatCompletionResponse(head: head, choices: choices, usage: usage).write(into: &buffer)
        return buffer
    }

    private func entry(_ logprob: TokenLogprob) -> ChatTokenLogprob {
        ChatTokenLogprob(
            token: candidate(logprob.token, logprob.logprob),
            top: logprob.top.map { candidate($0.token, $0.logprob) })
    }

    private func candidate(_ token: TokenID, _ logprob: Float) -> ChatTokenLogprob.Candidate {
        ChatTokenLogprob.Candidate(bytes: Array(pieces.spelling(token)), logprob: logprob)
    }
}
