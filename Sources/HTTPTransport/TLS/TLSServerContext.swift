import NIOSSL
import Synchronization

/// The certificate that new connections are served with. `reload` replaces it while the server
/// runs; connections that are open keep theirs.
package final class TLSServerContext: Sendable {
    package let files: TLSFiles
    /// PEM certificates that a client's must chain to; nil: clients need none.
    package let clientAuthorityPath: String?
    /// Whether clients may speak HTTP/1.1; otherwise ALPN must give `h2`.
    package let offersHTTP1: Bool
    /// A lock because connection loops read what the control path replaces; taken once per
    /// handshake.
    private let context: Mutex<NIOSSLContext>

    /// Reads all files. Throws what is wrong with them.
    package init(
        _ files: TLSFiles, clientAuthorityPath: String? = nil, offersHTTP1: Bool = true
    ) throws(TLSError) {
        self.files = files
        self.clientAuthorityPath = clientAuthorityPath
        self.offersHTTP1 = offersHTTP1
        context = Mutex(try Self.load(files, clientAuthorityPath, offersHTTP1: offersHTTP1))
    }

    /// Reads the files again. Throws what is wrong with them, and keeps the old certificate then.
    package func reload() throws(TLSError) {
        let fresh = try Self.load(files, clientAuthorityPath, offersHTTP1: offersHTTP1)
        context.withLock { $0 = fresh }
    }

    /// Reads all files, to see whether `reload` would succeed.
    package func check() throws(TLSError) {
        _ = try Self.load(files, clientAuthorityPath, offersHTTP1: offersHTTP1)
    }

    var current: NIOSSLContext { context.withLock { $0 } }

    private static func load(
        _ files: TLSFiles, _ clientAuthorityPath: String?, offersHTTP1: Bool
    ) throws(TLSError) -> NIOSSLContext {
        let chain = try TLSMaterial.certificates(files.certificateChainPath)
        let key = try TLSMaterial.privateKey(files.privateKeyPath)
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        TLSMaterial.restrict(&configuration)
        configuration.applicationProtocols = offersHTTP1 ? ["h2", "http/1.1"] : ["h2"]
        if let clientAuthorityPath {
            configuration.trustRoots = .certificates(
                try TLSMaterial.certificates(clientAuthorityPath))
            // A client has no name that could be compared with its address.
            configuration.certificateVerification = .noHostnameVerification
        }
        return try TLSMaterial.context(configuration, files)
    }
}
