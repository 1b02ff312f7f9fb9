import NIOSSL
import Synchronization

/// The certificate that new connections are served with. `reload` replaces it while the server
/// runs; connections that are open keep theirs.
package final class TLSServerContext: Sendable {
    package let files: TLSFiles
    /// A lock because connection loops read what the control path replaces; taken once per
    /// handshake.
    private let context: Mutex<NIOSSLContext>

    /// Reads both files. Throws what is wrong with them.
    package init(_ files: TLSFiles) throws(TLSError) {
        self.files = files
        context = Mutex(try Self.load(files))
    }

    /// Reads both files again. Throws what is wrong with them, and keeps the old certificate then.
    package func reload() throws(TLSError) {
        let fresh = try Self.load(files)
        context.withLock { $0 = fresh }
    }

    /// Reads both files, to see whether `reload` would succeed.
    package func check() throws(TLSError) {
        _ = try Self.load(files)
    }

    var current: NIOSSLContext { context.withLock { $0 } }

    /// TLS 1.2 with forward secrecy and authenticated encryption, or newer: what RFC 9113 §9.2
    /// asks for. Renegotiation is off, BoringSSL has no compression.
    private static func load(_ files: TLSFiles) throws(TLSError) -> NIOSSLContext {
        let chain: [NIOSSLCertificate]
        do {
            chain = try NIOSSLCertificate.fromPEMFile(files.certificateChainPath)
        } catch {
            throw .certificate(path: files.certificateChainPath, reason: "\(error)")
        }
        guard !chain.isEmpty else {
            throw .certificate(path: files.certificateChainPath, reason: "no certificate in it")
        }
        let key: NIOSSLPrivateKey
        do {
            key = try NIOSSLPrivateKey(file: files.privateKeyPath, format: .pem)
        } catch {
            throw .privateKey(path: files.privateKeyPath, reason: "\(error)")
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["h2", "http/1.1"]
        configuration.cipherSuiteValues = [
            .TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, .TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            .TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
            .TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
            .TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, .TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        ]
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw .pair(
                certificatePath: files.certificateChainPath, keyPath: files.privateKeyPath,
                reason: "\(error)")
        }
    }
}
