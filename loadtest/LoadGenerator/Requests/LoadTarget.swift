package import HTTPTransport

/// The server under load: `http://host:port`, a path prefix allowed.
package struct LoadTarget: Sendable, Equatable {
    package var host: String
    package var port: Int
    /// "" or "/prefix", in front of every path.
    package var prefix: String

    /// nil when `url` is no plain http URL.
    package init?(url: String) {
        guard url.hasPrefix("http://") else { return nil }
        let rest = url.dropFirst("http://".count)
        let authority = rest.prefix { $0 != "/" }
        var path = String(rest.dropFirst(authority.count))
        while path.hasSuffix("/") { path.removeLast() }
        prefix = path
        if let colon = authority.lastIndex(of: ":"), authority.last != "]" {
            guard let port = Int(authority[authority.index(after: colon)...]),
                (1...65_535).contains(port)
            else { return nil }
            self.port = port
            host = String(authority[..<colon])
        } else {
            port = 80
            host = String(authority)
        }
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        guard !host.isEmpty else { return nil }
    }

    package var endpoint: HTTPEndpoint { .tcp(host: host, port: port) }
    package var authority: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
