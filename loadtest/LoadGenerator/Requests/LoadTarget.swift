package import HTTPTransport
import NIOCore

/// A server under load: `http://host:port` or `https://…`, a path prefix allowed.
package struct LoadTarget: Sendable, Equatable {
    package var host: String
    package var port: Int
    package var isSecure: Bool
    /// "" or "/prefix", in front of every path.
    package var prefix: String

    /// nil when `url` is no plain http or https URL.
    package init?(url: String) {
        guard let scheme = ["http://", "https://"].first(where: url.hasPrefix) else { return nil }
        isSecure = scheme == "https://"
        let rest = url.dropFirst(scheme.count)
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
            port = isSecure ? 443 : 80
            host = String(authority)
        }
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        guard !host.isEmpty else { return nil }
    }

    package var endpoint: HTTPEndpoint { .tcp(host: host, port: port) }
    package var authority: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
    package var scheme: String { isSecure ? "https" : "http" }

    /// What the server's certificate must be for; nil: the address that was connected to.
    var serverName: String? {
        // An address is none: a certificate's names are names of hosts.
        (try? SocketAddress(ipAddress: host, port: 0)) == nil ? host : nil
    }
}
