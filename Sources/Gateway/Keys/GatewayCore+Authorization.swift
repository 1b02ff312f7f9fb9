import HTTPTransport
import InferenceAPI

extension GatewayCore {
    /// Who asks, by the key that a request's fields hold.
    ///
    /// Throws `unauthenticated` and `invalidKey`.
    func authorize(_ fields: HTTPFields) throws(APIError) -> Principal {
        try serving.current.tenants.principal(fields)
    }
}

extension RequestHeaders {
    static func key(of fields: HTTPFields) throws(APIError) -> String? {
        try key(authorization: fields["authorization"], apiKey: fields["x-api-key"])
    }
}
