import NIOSSL

/// What the contexts of both sides share: reading PEM files, and the protocol's bounds.
enum TLSMaterial {
    /// TLS 1.2 with forward secrecy and authenticated encryption, or newer: what RFC 9113 §9.2
    /// asks for. Renegotiation is off, BoringSSL has no compression.
    static func restrict(_ configuration: inout TLSConfiguration) {
        configuration.minimumTLSVersion = .tlsv12
        configuration.cipherSuiteValues = [
            .TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, .TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            .TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
            .TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
            .TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, .TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        ]
    }

    /// At least one certificate.
    static func certificates(_ path: String) throws(TLSError) -> [NIOSSLCertificate] {
        let certificates: [NIOSSLCertificate]
        do {
            certificates = try NIOSSLCertificate.fromPEMFile(path)
        } catch {
            throw .certificate(path: path, reason: "\(error)")
        }
        guard !certificates.isEmpty else {
            throw .certificate(path: path, reason: "no certificate in it")
        }
        return certificates
    }

    static func privateKey(_ path: String) throws(TLSError) -> NIOSSLPrivateKey {
        do {
            return try NIOSSLPrivateKey(file: path, format: .pem)
        } catch {
            throw .privateKey(path: path, reason: "\(error)")
        }
    }

    static func context(
        _ configuration: TLSConfiguration, _ files: TLSFiles?
    ) throws(TLSError) -> NIOSSLContext {
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw .pair(
                certificatePath: files?.certificateChainPath ?? "none",
                keyPath: files?.privateKeyPath ?? "none", reason: "\(error)")
        }
    }
}
