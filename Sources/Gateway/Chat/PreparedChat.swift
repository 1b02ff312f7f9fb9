import InferenceAPI
import InferenceTypes
import NIOCore
import NIOPosix
import Routing
import Tokenization

/// A chat request that can be sent to a worker: checked against the model, templated and tokenized.
struct PreparedChat: Sendable {
    var request: ChatRequest
    /// Which serves the request's model.
    var pool: Pool
    /// The pool's.
    var tokenizer: ModelTokenizer
    var caller: ChatCaller
    var prompt: [TokenID]
    /// Everything but the seed, which differs between choices.
    var sampling: SamplingParameters
    var stops: StopStrings
    /// The request's seed, or one drawn for it.
    var seed: UInt64
    /// What the router is told of each choice.
    var placement: PlacementRequest
    /// Of the hashes of its blocks, as the router knows them.
    var prefixSalt: UInt64

    /// The seed of one choice: the request's own for the first, independent ones for the others, so
    /// that each choice can be resumed alone.
    func seed(choice: Int) -> UInt64 {
        choice == 0 ? seed : SeededGenerator.value(seed: seed, counter: UInt64(choice))
    }
}

/// From a request's body to a `PreparedChat`, on a thread of its own: templates and tokenizers take
/// milliseconds for long prompts, which no event loop can spare.
struct ChatPreparation: Sendable {
    let serving: ServingBox
    let pool: NIOThreadPool
    let placement = ChatPlacement()

    /// - Parameter caller: its conversation is sticky where a name stands for several models.
    func prepare(
        _ body: ByteBuffer, of caller: ChatCaller, on eventLoop: any EventLoop
    ) -> EventLoopFuture<Result<PreparedRequest, APIError>> {
        pool.runIfActive(eventLoop: eventLoop) {
            Result { () throws(APIError) in try prepared(body, caller, serving.current) }
        }
    }

    /// A request that was decoded before, for whichever pool serves its model now.
    func prepare(
        _ request: ChatRequest, of caller: ChatCaller, on eventLoop: any EventLoop
    ) -> EventLoopFuture<Result<PreparedRequest, APIError>> {
        pool.runIfActive(eventLoop: eventLoop) {
            Result { () throws(APIError) in
                let pool = try pool(for: request, caller, serving.current)
                guard pool.kind == .engine else {
                    // Its body, which such a pool's workers would get, is not kept.
                    throw APIError(.draining, "The model has moved to other workers; try again.")
                }
                return .tokens(try prepared(request, caller, pool))
            }
        }
    }

    private func prepared(
        _ body: ByteBuffer, _ caller: ChatCaller, _ state: ServingState
    ) throws(APIError) -> PreparedRequest {
        var limits = ChatRequestLimits()
        limits.choices = state.configuration.limits.choicesLimit
        // What an upstream serves it decides by itself; who it is, the body's model tells.
        if state.catalogue.hasUpstreams, let name = ChatCompletionRequest.model(of: body) {
            limits.isForwarded = state.catalogue.takesText(name)
        }
        let request = try ChatCompletionRequest.decode(body, limits: limits)
        let pool = try pool(for: request, caller, state)
        guard pool.kind == .openAI else {
            guard limits.isForwarded else {
                return .tokens(try prepared(request, caller, pool))
            }
            // The engine's share of a split: as strict as any other.
            limits.isForwarded = false
            return .tokens(
                try prepared(
                    ChatCompletionRequest.decode(body, limits: limits), caller, pool))
        }
        do {
            return .text(
                ForwardedChat(
                    request: request, pool: pool, caller: caller, body: body,
                    forwarded: try ForwardedRequest(body, isStreaming: request.isStreaming),
                    placement: placement.request(request, model: pool.model.name, caller: caller)))
        } catch {
            preconditionFailure("a body that was decoded does not read: \(error)")
        }
    }

    private func pool(
        for request: ChatRequest, _ caller: ChatCaller, _ state: ServingState
    ) throws(APIError) -> Pool {
        try state.catalogue.pool(for: request.model) {
            request.conversationHash(named: caller.conversation)
        }
    }

    private func prepared(
        _ request: ChatRequest, _ caller: ChatCaller, _ pool: Pool
    ) throws(APIError) -> PreparedChat {
        guard let tokenizer = pool.model.tokenizer else { throw .modelNotFound(request.model) }
        let prompt = try tokenize(request, with: tokenizer)
        var sampling = request.sampling
        try checkLength(
            prompt: prompt.count, context: tokenizer.contextTokens, sampling: &sampling)
        let size = tokenizer.vocabulary.size
        for bias in sampling.logitBias where bias.token >= size {
            throw APIError(
                .invalidValue,
                "Token \(bias.token) is not in the vocabulary of \(size) tokens.",
                parameter: "logit_bias")
        }
        var generator = SystemRandomNumberGenerator()
        return PreparedChat(
            request: request, pool: pool, tokenizer: tokenizer, caller: caller,
            prompt: prompt, sampling: sampling, stops: try stops(of: request),
            seed: request.seed ?? generator.next(),
            placement: placement.request(
                request, prompt: prompt, model: pool.model.name,
                contextTokens: tokenizer.contextTokens, caller: caller),
            prefixSalt: placement.salt(model: pool.model.name, caller: caller))
    }

    private func checkLength(
        prompt: Int, context: Int, sampling: inout SamplingParameters
    ) throws(APIError) {
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

    private func tokenize(
        _ request: ChatRequest, with tokenizer: ModelTokenizer
    ) throws(APIError) -> [TokenID] {
        do {
            let rendered = try tokenizer.template.render(
                messages: request.messages.map(\.templateMessage))
            return try tokenizer.vocabulary.tokenize(rendered)
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
