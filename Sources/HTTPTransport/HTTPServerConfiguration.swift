/// What an `HTTPServer` needs to know.
package struct HTTPServerConfiguration: Sendable {
    /// Where to listen.
    package var endpoint: HTTPEndpoint
    package var limits: HTTPLimits
    /// Length of the kernel's queue of connections not yet accepted.
    package var backlog = 1_024
    /// File mode of a unix socket.
    package var unixSocketMode: UInt16 = 0o600
    /// The body of an answer that the transport gives itself (400, 408, 413, 431, 501, 505).
    package var refusal: HTTPRefusal.Body = { _ in nil }

    package init(endpoint: HTTPEndpoint, limits: HTTPLimits = HTTPLimits()) {
        self.endpoint = endpoint
        self.limits = limits
    }
}
