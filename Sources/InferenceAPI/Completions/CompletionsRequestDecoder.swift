import InferenceTypes
import NIOCore

/// Reads the body of `/v1/completions`.
struct CompletionsRequestDecoder {
    /// As OpenAI has it: fewer than for chat completions.
    private static let topLogprobsLimit = 5

    private var reader: FieldReader
    private let limits: ChatRequestLimits
    private(set) var request = ChatRequest(model: "", messages: [])
    /// The prompts, if answers are to begin with them.
    private(set) var echo: [String] = []
    private var shared: SharedFields
    private var promptOffset = 0
    private var wantsEcho = false
    private var echoOffset = 0
    private var bestOf: (count: Int, offset: Int)?

    /// Every field that is looked at, besides the shared ones.
    enum Field: String, CaseIterable {
        case prompt, echo, logprobs, suffix
        case maxTokens = "max_tokens"
        case bestOf = "best_of"
    }

    private static let fields = JSONKeyTable<FaceField<Field>>()

    init(_ body: ByteBuffer, limits: ChatRequestLimits) {
        reader = FieldReader(body, limits: limits.json)
        self.limits = limits
        shared = SharedFields(limits: limits)
    }

    mutating func decode() throws(DecodeFailure) {
        let start = try reader.beginObject()
        while let field = try reader.nextField(in: Self.fields) {
            switch field {
            case .shared(let field): try shared.decode(field, &reader, into: &request)
            case .own(let field): try decode(field)
            }
        }
        try reader.finish()
        guard !request.model.isEmpty else { throw DecodeFailure.missing("model", at: start) }
        guard !request.rawPrompts.isEmpty else { throw DecodeFailure.missing("prompt", at: start) }
        try settle()
    }

    private mutating func decode(_ field: Field) throws(DecodeFailure) {
        switch field {
        case .prompt:
            promptOffset = reader.valueOffset
            request.rawPrompts = try prompts()
        case .echo:
            echoOffset = reader.valueOffset
            wantsEcho = try reader.bool()
        case .logprobs:
            request.sampling.topLogprobs =
                try reader.integer(in: 0...Int64(min(Self.topLogprobsLimit, limits.topLogprobs)))
        case .suffix:
            guard try reader.string().isEmpty else {
                throw reader.unsupported("Text is not inserted before a suffix here.")
            }
        // Without it to the context's end: no small default (trap 18).
        case .maxTokens:
            request.sampling.maxTokens = try reader.integer(in: 1...Int64(Int32.max))
        case .bestOf:
            let offset = reader.valueOffset
            bestOf = (try reader.integer(in: 1...Int64(limits.choices)), offset)
        }
    }

    /// Checks that need more than one field, whose order in the body is free.
    private mutating func settle() throws(DecodeFailure) {
        try shared.settle(request)
        if let bestOf, bestOf.count != request.choiceCount {
            throw DecodeFailure(
                .unsupported, "Answers are not compared here: expected the value of 'n'.",
                at: bestOf.offset)
        }
        guard request.totalChoices <= limits.choices else {
            throw DecodeFailure(
                .invalidValue,
                "Expected at most \(limits.choices) prompts times 'n', but got "
                    + "\(request.totalChoices).", at: promptOffset)
        }
        guard wantsEcho else { return }
        guard request.sampling.topLogprobs == nil else {
            throw DecodeFailure(
                .unsupported, "Prompts have no log probabilities here: not with 'logprobs'.",
                at: echoOffset)
        }
        for prompt in request.rawPrompts {
            guard case .text(let text) = prompt else {
                throw DecodeFailure(
                    .unsupported, "Not with a prompt of token ids.", at: echoOffset)
            }
            echo.append(text)
        }
    }

    // MARK: Prompts

    /// A string, strings, token ids, or arrays of them.
    private mutating func prompts() throws(DecodeFailure) -> [RawPrompt] {
        switch try reader.kind() {
        case .string: return [.text(try reader.string())]
        case .array: break
        default: throw reader.refusal(.invalidType, "Expected a string or an array.")
        }
        let start = try reader.beginArray()
        var prompts: [RawPrompt] = []
        while try reader.nextElement() {
            let kind = try reader.kind()
            if kind == .number, prompts.isEmpty { return [.tokens(try tokens(at: start))] }
            guard prompts.count < limits.choices else {
                throw DecodeFailure(
                    .invalidValue, "Expected at most \(limits.choices) prompts.", at: start)
            }
            switch kind {
            case .string: prompts.append(.text(try reader.string()))
            case .array:
                let start = try reader.beginArray()
                guard try reader.nextElement() else {
                    throw DecodeFailure(
                        .invalidValue, "Expected at least one token.", at: start)
                }
                prompts.append(.tokens(try tokens(at: start)))
            default:
                throw reader.refusal(
                    .invalidType, "Expected strings, token ids, or arrays of token ids.")
            }
        }
        guard !prompts.isEmpty else {
            throw DecodeFailure(.invalidValue, "Expected at least one prompt.", at: start)
        }
        return prompts
    }

    /// The rest of an array of token ids, before its first one.
    private mutating func tokens(at start: Int) throws(DecodeFailure) -> [TokenID] {
        var tokens: [TokenID] = []
        repeat {
            guard tokens.count < limits.promptTokens else {
                throw DecodeFailure(
                    .invalidValue, "Expected at most \(limits.promptTokens) tokens.", at: start)
            }
            tokens.append(TokenID(try reader.integer(in: 0...Int64(TokenID.max))))
        } while try reader.nextElement()
        return tokens
    }
}
