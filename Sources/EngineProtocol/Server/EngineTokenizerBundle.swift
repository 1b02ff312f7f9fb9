package import NIOCore

/// What `GetTokenizer` streams: a ZIP of tokenizer files, and its fingerprint. Immutable and made
/// once; its bytes are shared by all who stream it.
package struct EngineTokenizerBundle: Sendable, Hashable {
    package let archive: ByteBuffer
    /// SHA-256 of the archive, in lower-case hexadecimal.
    package let sha256: String

    /// Computes the fingerprint: 7 ms for each MB, so not on an event loop.
    package init(archive: ByteBuffer) {
        self.archive = archive
        sha256 = SHA256.hexDigest(archive)
    }
}
