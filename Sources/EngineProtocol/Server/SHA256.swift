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

    /// As four words of big-endian bytes, for tables.
    package static func words(of text: String) -> (UInt64, UInt64, UInt64, UInt64) {
        let digest = Crypto.SHA256.hash(data: Array(text.utf8))
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        for (index, byte) in digest.enumerated() {
            switch index >> 3 {
            case 0: words.0 = words.0 << 8 | UInt64(byte)
            case 1: words.1 = words.1 << 8 | UInt64(byte)
            case 2: words.2 = words.2 << 8 | UInt64(byte)
            default: words.3 = words.3 << 8 | UInt64(byte)
            }
        }
        return words
    }
}
