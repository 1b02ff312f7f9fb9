/// What an `HTTPServer` needs to know.
package struct HTTPServerConfiguration: Sendable {
    /// Where to listen.
    package var endpoint: HTTPEndpoint
    package var limits: HTTPLimits
    /// Length of the kernel's queue of connections not yet accepted.
    package var backlog = 1_024
    /// File mode of a unix socket.
    package var unixSocketMode: UInt16 = 0o600
    /// Set: every connection is TLS, and ALPN chooses `h2` or `http/1.1`. nil: plaintext, and the
    /// first bytes tell HTTP/2 with prior knowledge from HTTP/1.1.
    package var tls: TLSServerContext?
    /// Undo `content-encoding` of request bodies, within `HTTPLimits.bodyBytes`; other codings
    /// than gzip and deflate are refused with 415. False: services get bodies as they came.
    package var decodesRequestBodies = true
    /// The body of an answer that the transport gives itself (see `HTTPRefusal`).
    package var refusal: HTTPRefusal.Body = { _, _ in nil }

    package init(endpoint: HTTPEndpoint, limits: HTTPLimits = HTTPLimits()) {
        self.endpoint = endpoint
        self.limits = limits
    }
}
