import GRPC
import InferenceTypes
package import NIOCore
import XAIProto

/// `xai_api.Sample/SampleText` and `SampleTextStreaming`: completion of plain text, as
/// `/v1/completions`.
package struct XAISampleFace: Face {
    package var name: String { "xai_grpc_sample" }

    /// Prompts of one request.
    static let promptsLimit = 128

    private let isStreaming: Bool

    package init(isStreaming: Bool) {
        self.isStreaming = isStreaming
    }

    /// - Parameter body: a `SampleTextRequest`, without gRPC's prefix.
    package func decode(
        _ body: ByteBuffer, limits: ChatRequestLimits
    ) throws(APIError) -> FaceRequest {
        let message = try XaiApi_SampleTextRequest(xai: body)
        guard (1...Self.promptsLimit).contains(message.prompt.count) else {
            throw .field("prompt", "Expected between 1 and \(Self.promptsLimit) prompts.")
        }
        var request = ChatRequest(
            model: try XAIRequestReader.name(message.model, "model", limits), messages: [])
        request.rawPrompts = message.prompt.map { .text($0) }
        request.isStreaming = isStreaming
        request.choiceCount = try XAIRequestReader.choices(
            message.hasN ? message.n : nil, limits)
        guard request.totalChoices <= limits.choices else {
            throw .field("n", "Expected at most \(limits.choices) choices of all prompts.")
        }
        request.sampling = try sampling(message)
        if message.hasSeed { request.seed = UInt64(bitPattern: Int64(message.seed)) }
        request.stopStrings = try XAIRequestReader.stopStrings(message.stop, limits)
        let user = try XAIRequestReader.bounded(message.user, "user", limits)
        request.user = user.isEmpty ? nil : user
        return FaceRequest(chat: request, format: XAISampleFormat())
    }

    /// Answers have no place for log probabilities.
    private func sampling(
        _ message: XaiApi_SampleTextRequest
    ) throws(APIError) -> SamplingParameters {
        var sampling = SamplingParameters()
        if message.hasTemperature {
            sampling.temperature = try XAIRequestReader.float(
                message.temperature, in: 0...2, "temperature")
        }
        if message.hasTopP { sampling.topP = try XAIRequestReader.topP(message.topP) }
        if message.hasFrequencyPenalty {
            sampling.frequencyPenalty = try XAIRequestReader.float(
                message.frequencyPenalty, in: -2...2, "frequency_penalty")
        }
        if message.hasPresencePenalty {
            sampling.presencePenalty = try XAIRequestReader.float(
                message.presencePenalty, in: -2...2, "presence_penalty")
        }
        if message.hasMaxTokens {
            sampling.maxTokens = try XAIRequestReader.maxTokens(message.maxTokens)
        }
        return sampling
    }
}

/// `SampleTextResponse`: whole, or a message for each piece of text.
struct XAISampleFormat: AnswerFormat {
    var idPrefix: String { "" }

    func encoder(_ head: ChatResponseHead) -> any AnswerEncoder {
        XAISampleEncoder(head: XaiApi_SampleTextResponse(head))
    }

    func write(_ completion: Completion, into buffer: inout ByteBuffer) {
        var response = XaiApi_SampleTextResponse(completion.head)
        response.usage = XaiApi_SamplingUsage(completion.usage)
        response.choices = completion.choices.enumerated().map { index, choice in
            .with {
                $0.index = Int32(index)
                $0.text = choice.content
                $0.finishReason = choice.finishReason.xai
            }
        }
        buffer.writeMessage(response)
    }
}

/// By SwiftProtobuf's messages: no SDK calls it, and it is not the path of tokens that is measured.
private struct XAISampleEncoder: AnswerEncoder {
    let head: XaiApi_SampleTextResponse

    func begin(_ usage: Usage, into buffer: inout ByteBuffer) {}

    func write(_ piece: AnswerPiece, choice: Int, usage: Usage, into buffer: inout ByteBuffer) {
        // Plain text has neither calls nor reasoning.
        guard case .text(let text, _) = piece, !text.isEmpty else { return }
        write(choice, usage, into: &buffer) { $0.text = text }
    }

    func finish(
        _ reason: FinishReason, choice: Int, usage: Usage, into buffer: inout ByteBuffer
    ) {
        write(choice, usage, into: &buffer) { $0.finishReason = reason.xai }
    }

    func end(_ usage: Usage, into buffer: inout ByteBuffer) {}
    func fail(_ error: APIError, into buffer: inout ByteBuffer) {}
    func keepalive(_ progress: AnswerProgress, into buffer: inout ByteBuffer) {}

    private func write(
        _ index: Int, _ usage: Usage, into buffer: inout ByteBuffer,
        _ change: (inout XaiApi_SampleChoice) -> Void
    ) {
        var choice = XaiApi_SampleChoice()
        choice.index = Int32(index)
        change(&choice)
        var response = head
        response.choices = [choice]
        response.usage = XaiApi_SamplingUsage(usage)
        var message = ByteBuffer()
        message.writeMessage(response)
        buffer.writeGRPCPrefix(isCompressed: false, length: message.readableBytes)
        buffer.writeBuffer(&message)
    }
}

extension XaiApi_SampleTextResponse {
    fileprivate init(_ head: ChatResponseHead) {
        self.init()
        id = head.id
        created.seconds = Int64(head.created)
        model = head.model
        systemFingerprint = head.systemFingerprint ?? ""
    }
}
