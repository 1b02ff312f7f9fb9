import EngineProtocol
import GRPC
import InferenceTypes
import Scheduling

/// What only a worker can check of a request: the model's own limits. Ranges of sampling parameters
/// were checked when the message was decoded.
struct RequestValidation: Sendable {
    /// Token ids are below this. An id beyond it would read past the model's tables.
    var vocabularySize: Int
    /// Prompt and output of one sequence together.
    var requestTokensMax: Int
    var choicesMax: Int

    /// INVALID_ARGUMENT that names the field, OUT_OF_RANGE for a prompt that another worker of the
    /// same model may have room for; nil for a request that can run.
    func refusal(of request: EngineGenerateRequest) -> GRPCStatus? {
        let generation = request.generation
        guard !generation.prompt.isEmpty else { return invalid("input_ids", "empty") }
        guard generation.prompt.count < requestTokensMax else {
            return GRPCStatus(
                .outOfRange,
                "a context of \(requestTokensMax) tokens has no room for an answer to a prompt of "
                    + "\(generation.prompt.count)")
        }
        guard generation.resumedTokens < generation.prompt.count else {
            return invalid("switchyard-position", "leaves no prompt")
        }
        guard request.choices <= choicesMax else {
            return invalid("n", "\(request.choices) is more than \(choicesMax)")
        }
        if let token = generation.prompt.first(where: isUnknown) {
            return unknown(token, in: "input_ids")
        }
        let sampling = generation.sampling
        if let token = sampling.stopTokens.first(where: isUnknown) {
            return unknown(token, in: "stop_token_ids")
        }
        if let bias = sampling.logitBias.first(where: { isUnknown($0.token) }) {
            return unknown(bias.token, in: "logit_bias")
        }
        return nil
    }

    /// As above, for a text to embed.
    func refusal(of request: EngineEmbedRequest, tokensMax: Int) -> GRPCStatus? {
        guard request.tokens.count <= tokensMax else {
            return GRPCStatus(
                .outOfRange,
                "an input of \(request.tokens.count) tokens; embeddings take \(tokensMax) at most")
        }
        return request.tokens.first(where: isUnknown).map { unknown($0, in: "input_ids") }
    }

    private func isUnknown(_ token: TokenID) -> Bool {
        token < 0 || Int(token) >= vocabularySize
    }

    private func unknown(_ token: TokenID, in field: String) -> GRPCStatus {
        invalid(field, "token \(token) is outside the vocabulary of \(vocabularySize)")
    }

    private func invalid(_ field: String, _ reason: String) -> GRPCStatus {
        GRPCStatus(.invalidArgument, "\(field): \(reason)")
    }
}
