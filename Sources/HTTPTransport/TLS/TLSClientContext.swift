import NIOSSL

/// What a client trusts, and shows of itself, in its handshakes. Immutable; replaced whole when its
/// files change.
package final class TLSClientContext: Sendable {
    let context: NIOSSLContext

    /// Reads all files. Throws what is wrong with them.
    ///
    /// - Parameters:
    ///   - authorityPath: PEM certificates that a server's must chain to; nil: what the system
    ///     trusts.
    ///   - files: what the client shows of itself; nil: nothing.
    ///   - protocols: what it offers by ALPN.
    ///   - verifies: false takes any certificate of any server; for tools only.
    package init(
        authorityPath: String?, files: TLSFiles?, protocols: [String] = ["h2"],
        verifies: Bool = true
    ) throws(TLSError) {
        var configuration = TLSConfiguration.makeClientConfiguration()
        TLSMaterial.restrict(&configuration)
        configuration.applicationProtocols = protocols
        if let authorityPath {
            configuration.trustRoots = .certificates(
                try TLSMaterial.certificates(authorityPath))
        }
        configuration.certificateVerification = verifies ? .fullVerification : .none
        if let files {
            configuration.certificateChain = try TLSMaterial.certificates(
                files.certificateChainPath
            ).map { .certificate($0) }
            configuration.privateKey = .privateKey(
                try TLSMaterial.privateKey(files.privateKeyPath))
        }
        context = try TLSMaterial.context(configuration, files)
    }
}

/// How one connection is secured.
package struct HTTPClientTLS: Sendable {
    package var context: TLSClientContext
    /// The DNS name that the server's certificate must have, sent to it as well (SNI). Nil: the
    /// address that was connected to must be in the certificate.
    package var serverName: String?

    package init(context: TLSClientContext, serverName: String?) {
        self.context = context
        self.serverName = serverName
    }
}
