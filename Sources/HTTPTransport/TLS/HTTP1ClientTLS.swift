import NIOSSL

/// How an HTTP/1.1 client checks its server: certificate and name, always. Immutable.
package final class HTTP1ClientTLS: Sendable {
    private let context: NIOSSLContext

    /// Trusts what `authorityPath` (PEM) has, or else what the system trusts. Throws what is wrong
    /// with the file.
    package init(authorityPath: String?) throws(TLSError) {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        if let authorityPath {
            do {
                configuration.trustRoots = .certificates(
                    try NIOSSLCertificate.fromPEMFile(authorityPath))
            } catch {
                throw .certificate(path: authorityPath, reason: "\(error)")
            }
        }
        do {
            context = try NIOSSLContext(configuration: configuration)
        } catch {
            throw .certificate(path: authorityPath ?? "the system's", reason: "\(error)")
        }
    }

    /// A new connection's handler. A name is sent and checked; an address is checked only, as RFC
    /// 6066 §3 knows no addresses.
    func handler(for endpoint: HTTPEndpoint) throws -> NIOSSLClientHandler {
        guard case .tcp(let host, _) = endpoint, !Self.isAddress(host) else {
            return try NIOSSLClientHandler(context: context, serverHostname: nil)
        }
        return try NIOSSLClientHandler(context: context, serverHostname: host)
    }

    /// IPv6 has colons, which no name has, and IPv4's last label is a number, which no top-level
    /// domain is.
    private static func isAddress(_ host: String) -> Bool {
        host.contains(":") || host.split(separator: ".").last.map { Int($0) != nil } ?? false
    }
}
