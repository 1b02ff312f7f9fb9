import EngineProtocol
import NIOCore

/// The SHA-256 of an API key: all that is kept of it. Keys of ours have 256 random bits, which no
/// dictionary has, so neither salt nor a slow hash would make them any harder to find.
struct KeyDigest: Hashable, Sendable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    init(of key: String) {
        self.init(bytes: SHA256.digest(ByteBuffer(string: key)))
    }

    /// - Parameter digest: 32 bytes.
    init(bytes digest: [UInt8]) {
        var bytes = ByteBuffer(bytes: digest)
        words = (
            bytes.readInteger() ?? 0, bytes.readInteger() ?? 0, bytes.readInteger() ?? 0,
            bytes.readInteger() ?? 0
        )
    }

    var bytes: [UInt8] {
        var buffer = ByteBuffer()
        for word in [words.0, words.1, words.2, words.3] { buffer.writeInteger(word) }
        return Array(buffer: buffer)
    }

    static func == (left: KeyDigest, right: KeyDigest) -> Bool {
        left.words == right.words
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
    }
}
