import InferenceAPI
import InferenceTypes
import NIOCore
import NIOPosix
import Tokenization

/// A chat request that can be sent to a worker: checked against the model, templated and tokenized.
struct PreparedChat: Sendable {
    var request: ChatRequest
    var prompt: [TokenID]
    /// Everything but the seed, which differs between choices.
    var sampling: SamplingParameters
    var stops: StopStrings
    /// The request's seed, or one drawn for it.
    var seed: UInt64

    /// The seed of one choice: the request's own for the first, independent ones for the others, so
    /// that each choice can be resumed alone.
    func seed(choice: Int) -> UInt64 {
        choice == 0 ? seed : SeededGenerator.value(seed: seed, counter: UInt64(choice))
    }
}

/// From a request's body to a `PreparedChat`, on a thread of its own: templates and tokenizers take
/// milliseconds for long prompts, which no event loop can spare.
struct ChatPreparation: Sendable {
    let model: ServedModel
    let limits: ChatRequestLimits
    let pool: NIOThreadPool

    func prepare(
        _ body: ByteBuffer, on eventLoop: any EventLoop
    ) -> EventLoopFuture<Result<PreparedChat, APIError>> {
        pool.runIfActive(eventLoop: eventLoop) { result(body) }
    }

    private func result(_ body: ByteBuffer) -> Result<PreparedChat, APIError> {
        do {
            return .success(try prepared(ChatCompletionRequest.decode(body, limits: limits)))
        } catch {
            return .failure(error)
        }
    }

    private func prepared(_ request: ChatRequest) throws(APIError) -> PreparedChat {
        guard model.answers(to: request.model) else { throw .modelNotFound(request.model) }
        let prompt = try tokenize(request)
        var sampling = request.sampling
        try checkLength(prompt: prompt.count, sampling: &sampling)
        for bias in sampling.logitBias where bias.token >= model.vocabulary.size {
            throw APIError(
                .invalidValue,
                "Token \(bias.token) is not in the vocabulary of \(model.vocabulary.size) tokens.",
                parameter: "logit_bias")
        }
        var generator = SystemRandomNumberGenerator()
        return PreparedChat(
            request: request, prompt: prompt, sampling: sampling, stops: try stops(of: request),
            seed: request.seed ?? generator.next())
    }

    private func checkLength(
        prompt: Int, sampling: inout SamplingParameters
    ) throws(APIError) {
        let context = model.contextTokens
        // One token at least must fit behind the prompt.
        guard prompt < context else {
            throw .contextLengthExceeded(
                promptTokens: prompt, requestedTokens: sampling.maxTokens ?? 0,
                contextTokens: context)
        }
    }

    private func stops(of request: ChatRequest) throws(APIError) -> StopStrings {
        do {
            return try StopStrings(request.stopStrings)
        } catch {
            throw APIError(.invalidValue, "\(error)", parameter: "stop")
        }
    }

    private func tokenize(_ request: ChatRequest) throws(APIError) -> [TokenID] {
        do {
            let rendered = try model.template.render(
                messages: request.messages.map(\.templateMessage))
            return try model.vocabulary.tokenize(rendered)
        } catch {
            switch error {
            case .templateRefused(let reason):
                throw APIError(
                    .invalidValue, "The model's chat template refused the messages: \(reason)",
                    parameter: "messages")
            case .textTooLong(let bytes, let maximum):
                throw APIError(
                    .contextLengthExceeded,
                    "The messages have \(bytes) bytes of text; at most \(maximum) are tokenized.",
                    parameter: "messages")
            case .controlTokenInText, .textNotMarkable:
                throw APIError(
                    .invalidValue, "The messages contain text that cannot be tokenized safely.",
                    parameter: "messages")
            default:
                throw APIError(.internal, "The messages could not be tokenized.")
            }
        }
    }
}
