import HTTPTransport
import InferenceAPI

extension GatewayCore {
    /// The name of the key that a request's fields hold, for logs; nil where none is asked for.
    ///
    /// Throws `unauthenticated` and `invalidKey`.
    func authorize(_ fields: HTTPFields) throws(APIError) -> String? {
        guard let keys = serving.current.keys else { return nil }
        let key = try RequestHeaders.key(
            authorization: fields["authorization"], apiKey: fields["x-api-key"])
        guard let key else {
            throw APIError(.unauthenticated, "No API key was given: send 'Authorization: Bearer'.")
        }
        guard let name = keys.name(of: key) else {
            throw APIError(.invalidKey, "The API key is not known here.")
        }
        return name
    }
}
