package import HTTPTransport

/// Where an OpenAI-compatible server is: `http://host:port`, `https://host`, `h2c://host:port`
/// (HTTP/2 without TLS), each with a path before `/v1` if it has one.
package struct UpstreamAddress: Hashable, Sendable {
    package enum Scheme: String, Hashable, Sendable, CaseIterable {
        /// HTTP/1.1.
        case http
        /// HTTP/1.1 over TLS.
        case https
        /// HTTP/2 with prior knowledge.
        case h2c

        fileprivate var defaultPort: Int { self == .https ? 443 : 80 }
    }

    package var scheme: Scheme
    package var host: String
    package var port: Int
    /// Empty, or `/…` without a slash at its end.
    package var basePath: String

    /// Nil when it is no such address. A `/v1` at the end, as OpenAI's clients have it in their
    /// base URL, is left out; user information, queries and fragments are refused.
    package init?(text: String) {
        guard let colon = text.firstIndex(of: ":"),
            let scheme = Scheme(rawValue: text[..<colon].lowercased())
        else { return nil }
        var rest = text[text.index(after: colon)...]
        guard rest.hasPrefix("//") else { return nil }
        rest = rest.dropFirst(2)
        guard rest.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }),
            !rest.contains(where: { "@?#\\\"<>".contains($0) })
        else { return nil }
        let authority = rest.prefix { $0 != "/" }
        var path = rest.dropFirst(authority.count)
        while path.last == "/" { path.removeLast() }
        if path.hasSuffix("/v1") { path.removeLast(3) }
        while path.last == "/" { path.removeLast() }
        self.scheme = scheme
        basePath = String(path)
        let hasPort = authority.last != "]" && authority.contains(":")
        let whole = hasPort ? String(authority) : "\(authority):\(scheme.defaultPort)"
        guard case .tcp(let host, let port)? = HTTPEndpoint(text: whole) else { return nil }
        self.host = host
        self.port = port
    }

    package init(scheme: Scheme, host: String, port: Int, basePath: String = "") {
        self.scheme = scheme
        self.host = host
        self.port = port
        self.basePath = basePath
    }

    /// What its certificate must be for; nil for an address, which must be in the certificate.
    package var serverName: String? { IPAddress(host) == nil ? host : nil }

    package var endpoint: HTTPEndpoint { .tcp(host: host, port: port) }

    package var text: String { "\(scheme.rawValue)://\(endpoint.text)\(basePath)" }

    /// For the `host` field.
    var authority: String { endpoint.text }
}
