import HTTPTransport
import InferenceAPI

extension GatewayService {
    func embed(_ request: Request) throws(APIError) -> any HTTPServerStreamReceiver {
        try RequestHeaders.requireJSON(contentType: request.head.fields["content-type"])
        guard !core.status.isDraining else {
            throw APIError(.draining, "This gateway is shutting down; try another one.")
        }
        return EmbeddingsExchange(
            request.head, request.stream,
            context: try GenerationContext(
                request.head, requestID: request.id, principal: request.principal,
                arrival: core.clock()),
            on: connectionLoop(of: request.stream))
    }
}
