/// Why TLS cannot be set up. Every case names the file or command that is at fault.
package enum TLSError: Error, Sendable, Equatable {
    /// The file is missing, unreadable, or holds no PEM certificate.
    case certificate(path: String, reason: String)
    /// The file is missing, unreadable, or holds no PEM key without a password.
    case privateKey(path: String, reason: String)
    /// The key is not the certificate's, or BoringSSL refuses the pair otherwise.
    case pair(certificatePath: String, keyPath: String, reason: String)
    /// `openssl` is not installed; only the self-signed development mode needs it.
    case opensslMissing
    /// `openssl` failed: its exit status and what it said.
    case opensslFailed(status: Int32, message: String)
    /// The directory for the self-signed pair cannot be made or written.
    case directory(path: String, reason: String)
}
