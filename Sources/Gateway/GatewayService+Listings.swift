import InferenceAPI
import NIOCore

/// What is served, and to whom.
extension GatewayService {
    /// Throws `modelNotFound`.
    func list(_ endpoint: Endpoint, for request: Request) throws(APIError) {
        let state = core.serving.current
        let languageModels = state.catalogue.languageModels(for: request.principal)
        let list = ModelList(languageModels.models.map(\.model))
        var body = ByteBuffer()
        switch endpoint.operation {
        case .models where request.principal.isUnrestricted: body = state.catalogue.listBody
        case .models: list.write(into: &body)
        case .model: try list.find(endpoint.id).write(into: &body)
        case .languageModels: languageModels.write(into: &body)
        case .languageModel:
            try languageModels.find(endpoint.id).write(into: &body)
        case .embeddingModels: languageModels.writeEmbedding(into: &body)
        case .imageGenerationModels:
            body.writeStaticString("{\"models\":[]}")
        case .apiKey: try describeKey(of: request, state).write(into: &body)
        case .me: try describeKey(of: request, state).writeCaller(into: &body)
        default: throw APIError(.routeNotFound, "There is nothing at this URL.")
        }
        answer(request, body)
    }

    private func describeKey(
        of request: Request, _ state: ServingState
    ) throws(APIError) -> APIKeyDescription {
        state.tenants.describe(
            request.principal, key: try RequestHeaders.key(of: request.head.fields))
    }
}
