import InferenceAPI
import NIOCore

/// What is served, and to whom.
extension GatewayService {
    /// Throws `modelNotFound`.
    func list(_ endpoint: Endpoint, for request: Request) throws(APIError) {
        let state = core.serving.current
        var body = ByteBuffer()
        switch endpoint.operation {
        case .models: body = state.catalogue.listBody
        case .model: try state.catalogue.list.find(endpoint.id).write(into: &body)
        case .languageModels: state.catalogue.languageModels.write(into: &body)
        case .languageModel:
            try state.catalogue.languageModels.find(endpoint.id).write(into: &body)
        case .embeddingModels: state.catalogue.languageModels.writeEmbedding(into: &body)
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
