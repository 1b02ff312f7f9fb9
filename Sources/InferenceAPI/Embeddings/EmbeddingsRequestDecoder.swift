import InferenceTypes
import NIOCore

struct EmbeddingsRequestDecoder {
    private var reader: FieldReader
    private let limits: EmbeddingsLimits

    /// Every field that is looked at; others are skipped unseen.
    enum Field: String, CaseIterable {
        case model, input, dimensions, user
        case encodingFormat = "encoding_format"
    }

    private static let fields = JSONKeyTable<Field>()

    init(_ body: ByteBuffer, limits: EmbeddingsLimits) {
        reader = FieldReader(body, limits: limits.json)
        self.limits = limits
    }

    mutating func decode() throws(DecodeFailure) -> EmbeddingsRequest {
        let start = try reader.beginObject()
        var model: String?
        var inputs: [RawPrompt]?
        var request = EmbeddingsRequest(model: "", inputs: [])
        while let field = try reader.nextField(in: Self.fields) {
            switch field {
            case .model: model = try reader.string(limitBytes: limits.nameBytes)
            case .input: inputs = try decodeInputs()
            case .dimensions:
                request.dimensions = try reader.integer(in: 1...Int64(limits.dimensions))
            case .user: request.user = try reader.string(limitBytes: limits.nameBytes)
            case .encodingFormat:
                let name = try reader.string()
                guard let encoding = EmbeddingsRequest.Encoding(rawValue: name) else {
                    throw reader.refusal(.invalidValue, "Expected 'float' or 'base64'.")
                }
                request.encoding = encoding
            }
        }
        try reader.finish()
        guard let model else { throw DecodeFailure.missing("model", at: start) }
        guard let inputs else { throw DecodeFailure.missing("input", at: start) }
        request.model = model
        request.inputs = inputs
        return request
    }

    /// A text, texts, tokens, or lists of tokens.
    private mutating func decodeInputs() throws(DecodeFailure) -> [RawPrompt] {
        guard try reader.kind() == .array else { return [try text()] }
        let start = try reader.beginArray()
        var inputs: [RawPrompt] = []
        var tokens: [TokenID] = []
        while try reader.nextElement() {
            let kind = try reader.kind()
            guard inputs.isEmpty && tokens.isEmpty || (kind == .number) == inputs.isEmpty else {
                throw reader.refusal(
                    .invalidType, "Expected texts only, tokens only, or lists of tokens only.")
            }
            switch kind {
            case .number:
                try append(to: &tokens, start)
            case .array:
                try check(inputs.count, start)
                inputs.append(try tokenList())
            default:
                try check(inputs.count, start)
                inputs.append(try text())
            }
        }
        if !tokens.isEmpty { inputs = [.tokens(tokens)] }
        guard !inputs.isEmpty else {
            throw DecodeFailure(.invalidValue, "Expected at least one input.", at: start)
        }
        return inputs
    }

    private func check(_ count: Int, _ start: Int) throws(DecodeFailure) {
        guard count < limits.inputs else {
            throw DecodeFailure(
                .invalidValue, "Expected at most \(limits.inputs) inputs.", at: start)
        }
    }

    private mutating func text() throws(DecodeFailure) -> RawPrompt {
        let text = try reader.string()
        guard !text.isEmpty else {
            throw reader.refusal(.invalidValue, "Expected a text that is not empty.")
        }
        return .text(text)
    }

    private mutating func tokenList() throws(DecodeFailure) -> RawPrompt {
        let start = try reader.beginArray()
        var tokens: [TokenID] = []
        while try reader.nextElement() { try append(to: &tokens, start) }
        guard !tokens.isEmpty else {
            throw DecodeFailure(.invalidValue, "Expected at least one token.", at: start)
        }
        return .tokens(tokens)
    }

    private mutating func append(
        to tokens: inout [TokenID], _ start: Int
    ) throws(DecodeFailure) {
        guard tokens.count < limits.inputTokens else {
            throw DecodeFailure(
                .invalidValue, "Expected at most \(limits.inputTokens) tokens.", at: start)
        }
        tokens.append(TokenID(try reader.integer(in: 0...Int64(TokenID.max))))
    }
}
