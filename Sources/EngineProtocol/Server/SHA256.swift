import Crypto
package import NIOCore

/// SHA-256 (FIPS 180-4): what keys are known by, what chains the ledger's rows, and the fingerprint
/// of a tokenizer bundle, which tells a client that nothing was lost on the way.
package enum SHA256 {
    /// Lower-case hexadecimal.
    static func hexDigest(_ bytes: ByteBuffer) -> String {
        digest(bytes).map { byte in
            (byte < 0x10 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }

    package static func digest(_ bytes: ByteBuffer) -> [UInt8] {
        Array(Crypto.SHA256.hash(data: Array(buffer: bytes)))
    }
}
