import InferenceAPI
import InferenceTypes
import NIOCore
import NIOPosix
import Routing
import Storage
import Tokenization

/// A chat request that can be sent to a worker: checked against the model, templated and tokenized.
struct PreparedChat: Sendable {
    struct Prompt: Sendable {
        var tokens: [TokenID]
        /// What the router is told of each of its choices.
        var placement: PlacementRequest
    }

    var request: ChatRequest
    /// How the answer is written.
    var format: any AnswerFormat
    /// Which serves the request's model.
    var pool: Pool
    /// The pool's.
    var tokenizer: ModelTokenizer
    var caller: ChatCaller
    /// One, but for requests with raw prompts.
    var prompts: [Prompt]
    /// Everything but the seed, which differs between choices.
    var sampling: SamplingParameters
    var stops: StopStrings
    /// What answers are made of.
    var syntax: AnswerSyntax
    /// Which calls they may hold; nil for none.
    var tools: ToolRules?
    /// The request's seed, or one drawn for it.
    var seed: UInt64
    /// Of the hashes of its blocks, as the router knows them.
    var prefixSalt: UInt64

    func prompt(ofChoice choice: Int) -> Prompt { prompts[choice / request.choiceCount] }

    /// The seed of one choice: the request's own for the first, independent ones for the others, so
    /// that each choice can be resumed alone.
    func seed(choice: Int) -> UInt64 {
        choice == 0 ? seed : SeededGenerator.value(seed: seed, counter: UInt64(choice))
    }
}

/// What a preparation begins with.
enum PreparationSource: Sendable {
    case body(ByteBuffer, any Face)
    /// Decoded before, for whichever pool serves its model now.
    case request(FaceRequest)
}

/// From a request's body to a `PreparedChat`, on a thread of its own: templates and tokenizers take
/// milliseconds for long prompts, which no event loop can spare.
struct ChatPreparation: Sendable {
    let serving: ServingBox
    let pool: NIOThreadPool
    /// Nil: nothing is kept, and so nothing can be continued.
    let storage: (any Storage)?
    let placement = ChatPlacement()

    /// - Parameter caller: its conversation is sticky where a name stands for several models.
    func prepare(
        _ source: PreparationSource, of caller: ChatCaller, on eventLoop: any EventLoop
    ) -> EventLoopFuture<Result<PreparedRequest, APIError>> {
        pool.runIfActive(eventLoop: eventLoop) {
            Result { () throws(APIError) in
                switch source {
                case .body(let body, let face):
                    try prepared(body, face, caller, serving.current)
                case .request(let request):
                    try prepared(request, caller, serving.current)
                }
            }
        }
    }

    /// How many tokens the prompts of a request have; nothing else is made of it.
    func countTokens(
        _ body: ByteBuffer, _ face: any Face, of caller: ChatCaller, on eventLoop: any EventLoop
    ) -> EventLoopFuture<Result<Int, APIError>> {
        pool.runIfActive(eventLoop: eventLoop) {
            Result { () throws(APIError) in
                let state = serving.current
                let request = try face.decode(body, limits: ChatRequestLimits()).chat
                guard
                    let tokenizer = try pool(for: request, caller, state).model.tokenizer
                else {
                    throw APIError(
                        .unsupported,
                        "The model `\(request.model)` is served by a server that does not tell "
                            + "its tokens.", parameter: "model")
                }
                let plan = try AnswerPlan(request, template: tokenizer.template)
                let rendered = try render(request, plan, with: tokenizer)
                return try tokenize(request, rendered, with: tokenizer)
                    .reduce(0) { $0 + $1.count }
            }
        }
    }

    private func prepared(
        _ request: FaceRequest, _ caller: ChatCaller, _ state: ServingState
    ) throws(APIError) -> PreparedRequest {
        let pool = try pool(for: request.chat, caller, state)
        guard pool.kind == .engine else {
            // Its body, which such a pool's workers may get, is not kept.
            throw APIError(.draining, "The model has moved to other workers; try again.")
        }
        return .tokens(try prepared(request, caller, pool))
    }

    private func prepared(
        _ body: ByteBuffer, _ face: any Face, _ caller: ChatCaller, _ state: ServingState
    ) throws(APIError) -> PreparedRequest {
        var limits = limits(for: body, face, state)
        let request = try continued(face.decode(body, limits: limits), caller, limits)
        let pool = try pool(for: request.chat, caller, state)
        guard pool.kind == .openAI else {
            guard limits.isForwarded else {
                return .tokens(try prepared(request, caller, pool))
            }
            // The engine's share of a split: as strict as any other.
            limits.isForwarded = false
            return .tokens(
                try prepared(
                    continued(face.decode(body, limits: limits), caller, limits), caller, pool))
        }
        // A continued conversation is no longer the body's.
        guard face is ChatFace, request.chat.previousResponseID == nil else {
            return .text(
                ForwardedChat(
                    request: request.chat, format: request.format, face: face, isTranslated: true,
                    pool: pool, caller: caller, body: body,
                    forwarded: try ForwardedRequest(translating: request.chat),
                    placement: placement.request(
                        request.chat, model: pool.model.name, caller: caller)))
        }
        return .text(forwarded(request, body, face, caller, pool))
    }

    /// With the conversation that it continues.
    private func continued(
        _ request: FaceRequest, _ caller: ChatCaller, _ limits: ChatRequestLimits
    ) throws(APIError) -> FaceRequest {
        var request = request
        if caller.principal.access.storesNothing { request.storeNothing() }
        guard let previous = request.chat.previousResponseID else { return request }
        guard let storage else {
            throw APIError(
                .resourceNotFound, "There is no such response.",
                parameter: "previous_response_id")
        }
        var storedLimits = ChatRequestLimits.ofStoredRequests
        storedLimits.choices = limits.choices
        let conversation = StoredConversation(
            storage: storage, owner: caller.principal.owner, limits: storedLimits)
        request.chat.messages = try conversation.messages(of: request, after: previous)
        return request
    }

    func pool(
        for request: ChatRequest, _ caller: ChatCaller, _ state: ServingState
    ) throws(APIError) -> Pool {
        let pool = try state.catalogue.pool(for: request.model) {
            request.conversationHash(named: caller.conversation)
        }
        try caller.principal.require(model: request.model, of: pool)
        return pool
    }

    private func prepared(
        _ request: FaceRequest, _ caller: ChatCaller, _ pool: Pool
    ) throws(APIError) -> PreparedChat {
        let chat = request.chat
        guard let tokenizer = pool.model.tokenizer else { throw .modelNotFound(chat.model) }
        let plan = try AnswerPlan(chat, template: tokenizer.template)
        let rendered = try render(chat, plan, with: tokenizer)
        var sampling = chat.sampling
        sampling.grammar = plan.grammar(after: rendered)
        let size = tokenizer.vocabulary.size
        for bias in sampling.logitBias where bias.token >= size {
            throw APIError(
                .invalidValue,
                "Token \(bias.token) is not in the vocabulary of \(size) tokens.",
                parameter: "logit_bias")
        }
        var prompts: [PreparedChat.Prompt] = []
        for tokens in try tokenize(chat, rendered, with: tokenizer) {
            try checkLength(
                prompt: tokens.count, context: tokenizer.contextTokens, sampling: &sampling)
            prompts.append(
                PreparedChat.Prompt(
                    tokens: tokens,
                    placement: placement.request(
                        chat, prompt: tokens, model: pool.model.name,
                        contextTokens: tokenizer.contextTokens, caller: caller)))
        }
        var generator = SystemRandomNumberGenerator()
        return PreparedChat(
            request: chat, format: request.format, pool: pool, tokenizer: tokenizer,
            caller: caller, prompts: prompts, sampling: sampling, stops: try stops(of: chat),
            syntax: try plan.syntax(after: rendered, tokenizer), tools: plan.tools,
            seed: chat.seed ?? generator.next(),
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

    /// Nil for a request without turns.
    private func render(
        _ request: ChatRequest, _ plan: AnswerPlan, with tokenizer: ModelTokenizer
    ) throws(APIError) -> RenderedPrompt? {
        guard request.rawPrompts.isEmpty else { return nil }
        do {
            return try tokenizer.template.render(plan.conversation)
        } catch {
            throw Self.refusal(error, parameter: "messages")
        }
    }

    /// The prompts of a request, in order.
    private func tokenize(
        _ request: ChatRequest, _ rendered: RenderedPrompt?, with tokenizer: ModelTokenizer
    ) throws(APIError) -> [[TokenID]] {
        guard let rendered else {
            return try request.rawPrompts.map { prompt throws(APIError) in
                try tokenize(prompt, with: tokenizer, parameter: "prompt")
            }
        }
        do {
            return [try tokenizer.vocabulary.tokenize(rendered)]
        } catch {
            throw Self.refusal(error, parameter: "messages")
        }
    }

    func tokenize(
        _ prompt: RawPrompt, with tokenizer: ModelTokenizer, parameter: String
    ) throws(APIError) -> [TokenID] {
        let vocabulary = tokenizer.vocabulary
        switch prompt {
        case .tokens(let tokens):
            guard !tokens.isEmpty, tokens.allSatisfy({ (0..<vocabulary.size).contains(Int($0)) })
            else {
                throw APIError(
                    .invalidValue,
                    "Expected one or more tokens of the vocabulary of \(vocabulary.size).",
                    parameter: parameter)
            }
            return tokens
        case .text(let text):
            let tokens: [TokenID]
            do {
                tokens = try vocabulary.tokenize(text, addSpecial: true)
            } catch {
                throw Self.refusal(error, parameter: parameter)
            }
            guard !tokens.isEmpty else {
                throw APIError(
                    .invalidValue, "Expected a \(parameter) that is not empty.",
                    parameter: parameter)
            }
            return tokens
        }
    }

    static func refusal(_ error: TokenizationError, parameter: String) -> APIError {
        switch error {
        case .templateRefused(let reason):
            APIError(
                .invalidValue, "The model's chat template refused the messages: \(reason)",
                parameter: parameter)
        case .textTooLong(let bytes, let maximum):
            APIError(
                .contextLengthExceeded,
                "The \(parameter) has \(bytes) bytes of text; at most \(maximum) are tokenized.",
                parameter: parameter)
        case .controlTokenInText, .textNotMarkable:
            APIError(
                .invalidValue, "The \(parameter) contains text that cannot be tokenized safely.",
                parameter: parameter)
        default: APIError(.internal, "The \(parameter) could not be tokenized.")
        }
    }
}
