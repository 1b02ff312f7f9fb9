import InferenceAPI
import InferenceTypes
import NIOCore
import NIOPosix
import Routing

/// A request for embeddings that can be sent to a worker: checked and tokenized.
struct PreparedEmbeddings: Sendable {
    var request: EmbeddingsRequest
    /// Which serves the request's model.
    var pool: Pool
    /// In the order of the inputs.
    var prompts: [[TokenID]]

    var promptTokens: Int { prompts.reduce(0) { $0 + $1.count } }
}

extension ChatPreparation {
    /// As `prepare`, for the body of a request for embeddings.
    func prepareEmbeddings(
        _ body: ByteBuffer, of caller: ChatCaller, on eventLoop: any EventLoop
    ) -> EventLoopFuture<Result<PreparedEmbeddings, APIError>> {
        pool.runIfActive(eventLoop: eventLoop) {
            Result { () throws(APIError) in try preparedEmbeddings(body, caller) }
        }
    }

    private func preparedEmbeddings(
        _ body: ByteBuffer, _ caller: ChatCaller
    ) throws(APIError) -> PreparedEmbeddings {
        let request = try EmbeddingsRequest.decode(body)
        // Vectors of two models cannot be compared: a split's share follows its name alone.
        let pool = try serving.current.catalogue.pool(for: request.model) { 0 }
        try caller.principal.require(model: request.model, of: pool)
        guard pool.model.embeds, let tokenizer = pool.model.tokenizer else {
            throw APIError(
                .unsupported, "The model `\(request.model)` does not make embeddings here.",
                parameter: "model")
        }
        let prompts = try request.inputs.enumerated().map { index, input throws(APIError) in
            try tokenize(
                input, with: tokenizer,
                parameter: request.inputs.count > 1 ? "input[\(index)]" : "input")
        }
        return PreparedEmbeddings(request: request, pool: pool, prompts: prompts)
    }
}
