import InferenceAPI
import NIOCore
import Tokenization

extension ChatPreparation {
    /// A text in its model's tokens, as plain text: spellings of control tokens stay text.
    ///
    /// Throws `modelNotFound`, `permissionDenied`, `unsupported` for a model that nobody here has
    /// the tokens of, and `contextLengthExceeded` for a text that is too long to be tokenized.
    func tokenize(
        _ request: TokenizeTextRequest, for principal: Principal
    ) throws(APIError) -> TokenizedText {
        let pool = try serving.current.catalogue.pool(for: request.model) { 0 }
        try principal.require(model: request.model, of: pool)
        guard let vocabulary = pool.model.tokenizer?.vocabulary else {
            throw APIError(
                .unsupported,
                "The model `\(request.model)` is served by a server that keeps its tokenizer to "
                    + "itself.", parameter: "model")
        }
        do {
            let tokens = try vocabulary.tokenize(request.text, addSpecial: false)
                .filter { !vocabulary.pieces.isControl($0) }
                .map {
                    TokenizedText.Token(id: $0, bytes: Array(vocabulary.pieces.text($0)))
                }
            return TokenizedText(
                model: pool.model.name, tokens: Self.spelling(request.text, tokens))
        } catch {
            throw Self.refusal(error, parameter: "text")
        }
    }

    /// Vocabularies that put a space before every text show it in the first token, which it is no
    /// part of: bytes are those of the text.
    private static func spelling(
        _ text: String, _ tokens: [TokenizedText.Token]
    ) -> [TokenizedText.Token] {
        let bytes = tokens.reduce(0) { $0 + $1.bytes.count }
        guard bytes == text.utf8.count + 1, tokens.first?.bytes.first == UInt8(ascii: " ") else {
            return tokens
        }
        var tokens = tokens
        tokens[0].bytes.removeFirst()
        return tokens
    }
}

extension ConnectionLoop {
    /// Has work done that takes milliseconds, on the preparation threads.
    ///
    /// Throws `queueFull` when as many wait as may (`ChatLimits.preparationLimit`). The future
    /// fails when the threads are shut down.
    func prepare<Value: Sendable>(
        _ work: @escaping @Sendable () throws(APIError) -> Value
    ) throws(APIError) -> EventLoopFuture<Result<Value, APIError>> {
        guard preparing < core.serving.current.configuration.limits.preparationLimit else {
            throw APIError(.queueFull, "Too many requests are being tokenized.")
        }
        preparing += 1
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        return core.preparation.pool.runIfActive(eventLoop: eventLoop) {
            Result { () throws(APIError) in try work() }
        }.always { _ in bound.value.preparing -= 1 }
    }
}
