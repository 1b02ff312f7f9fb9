import HTTPTransport
import InferenceAPI

/// Who may change something through the admin port.
struct AdminAccess: Sendable {
    /// Nil: whoever reaches a loopback address.
    let keys: APIKeys?
    let isLoopback: Bool

    func check(_ head: HTTPRequestHead) throws(APIError) {
        guard let keys else {
            guard isLoopback else {
                throw APIError(
                    .permissionDenied, "/admin needs --admin-token-file on this address.")
            }
            return
        }
        let token = try RequestHeaders.key(
            authorization: head.fields["authorization"], apiKey: nil)
        guard let token else {
            throw APIError(.unauthenticated, "No token was given: send 'Authorization: Bearer'.")
        }
        guard keys.name(of: token) != nil else {
            throw APIError(.invalidKey, "The token is not known here.")
        }
    }
}
