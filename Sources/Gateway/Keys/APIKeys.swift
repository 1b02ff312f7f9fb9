import EngineProtocol
internal import Foundation
package import InferenceAPI
import NIOCore

/// The static keys of `--api-key-file`. Immutable; replaced whole.
///
/// One key a line, optionally followed by white space and a name for logs; empty lines and lines
/// that begin with `#` are skipped. Keys themselves never appear in a log or an error.
package struct APIKeys: Sendable {
    /// Most keys in a file: a token of the admin port's is compared with all of them.
    package static let countLimit = 1_024
    /// Shortest key accepted, in bytes.
    package static let lengthMinimumBytes = 8

    package enum LoadError: Error, Hashable, CustomStringConvertible {
        case unreadable(path: String)
        case empty(path: String)
        case tooMany(path: String, limit: Int)
        case tooShort(path: String, line: Int, minimumBytes: Int)
        case notASCII(path: String, line: Int)

        package var description: String { "--api-key-file: \(reason)" }

        /// Without the flag: other settings name such files too.
        package var reason: String {
            switch self {
            case .unreadable(let path): "cannot read \(path)"
            case .empty(let path): "\(path) has no key"
            case .tooMany(let path, let limit): "\(path) has more than \(limit) keys"
            case .tooShort(let path, let line, let minimum):
                "\(path):\(line): a key has at least \(minimum) bytes"
            case .notASCII(let path, let line): "\(path):\(line): keys are printable ASCII"
            }
        }
    }

    private struct Key: Sendable {
        var bytes: [UInt8]
        var name: String
    }

    /// A key without itself.
    struct Entry: Sendable {
        let digest: KeyDigest
        /// The same in every process.
        let id: String
        let name: String
    }

    private let keys: [Key]
    /// Unix seconds at which the keys were read.
    private let loaded: Int

    package init(path: String) throws(LoadError) {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw .unreadable(path: path)
        }
        try self.init(text: String(decoding: data, as: UTF8.self), path: path)
    }

    package init(text: String, path: String) throws(LoadError) {
        var keys: [Key] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false)
            .enumerated()
        {
            let words = line.split(maxSplits: 1, whereSeparator: \.isWhitespace)
            guard let word = words.first, !word.hasPrefix("#") else { continue }
            let bytes = Array(word.utf8)
            guard bytes.allSatisfy({ (0x21...0x7E).contains($0) }) else {
                throw .notASCII(path: path, line: index + 1)
            }
            guard bytes.count >= Self.lengthMinimumBytes else {
                throw .tooShort(
                    path: path, line: index + 1, minimumBytes: Self.lengthMinimumBytes)
            }
            guard keys.count < Self.countLimit else {
                throw .tooMany(path: path, limit: Self.countLimit)
            }
            let name = words.count > 1 ? words[1].trimmingCharacters(in: .whitespaces) : ""
            keys.append(Key(bytes: bytes, name: name.isEmpty ? "key-\(keys.count + 1)" : name))
        }
        guard !keys.isEmpty else { throw .empty(path: path) }
        self.keys = keys
        loaded = UnixClock.seconds()
    }

    /// In the file's order.
    var entries: [Entry] {
        keys.map { key in
            let text = String(decoding: key.bytes, as: UTF8.self)
            return Entry(digest: KeyDigest(of: text), id: Self.id(of: text), name: key.name)
        }
    }

    private static func id(of key: String) -> String { StableID.of("api key", key) }

    /// The name of the matching key; nil for a wrong key. Takes the same time wherever the first
    /// difference is, and whichever key matches.
    package func name(of candidate: String) -> String? {
        key(candidate)?.name
    }

    /// What the holder of a key is told of it; nil for a wrong key. As `name(of:)` in time.
    package func description(of candidate: String) -> APIKeyDescription? {
        key(candidate).map { key in
            let text = String(decoding: key.bytes, as: UTF8.self)
            // Never so much that the rest could be guessed.
            let shown = key.bytes.count >= 24 ? 4 : 0
            return APIKeyDescription(
                redactedKey: text.prefix(shown) + "..." + text.suffix(shown),
                apiKeyID: Self.id(of: text), userID: StableID.of("user", key.name),
                teamID: Self.teamID, name: key.name, loaded: loaded)
        }
    }

    /// For everybody, where no key is asked for. `loaded`: Unix seconds.
    package static func anonymous(loaded: Int) -> APIKeyDescription {
        APIKeyDescription(
            redactedKey: "", apiKeyID: StableID.of("api key", ""),
            userID: StableID.of("user", ""), teamID: teamID, name: "anonymous", loaded: loaded)
    }

    /// All keys are of one team.
    private static let teamID = StableID.of("team", "")

    private func key(_ candidate: String) -> Key? {
        let bytes = Array(candidate.utf8)
        var found: Int?
        for (index, key) in keys.enumerated() {
            var difference = UInt8(bytes.count == key.bytes.count ? 0 : 1)
            for position in key.bytes.indices {
                let other = position < bytes.count ? bytes[position] : 0
                difference |= key.bytes[position] ^ other
            }
            if difference == 0 { found = index }
        }
        return found.map { keys[$0] }
    }
}

/// Ids of what has none of its own: the same in every process, and not to be read backwards.
enum StableID {
    /// A UUID of version 8 (RFC 9562 §5.8) from the SHA-256 of what it stands for.
    static func of(_ kind: String, _ text: String) -> String {
        var bytes = Array(
            SHA256.digest(ByteBuffer(string: "switchyard \(kind)\u{0}\(text)")).prefix(16))
        bytes[6] = bytes[6] & 0x0F | 0x80
        bytes[8] = bytes[8] & 0x3F | 0x80
        return UUID(
            uuid: (
                bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7],
                bytes[8], bytes[9], bytes[10], bytes[11], bytes[12], bytes[13], bytes[14],
                bytes[15]
            )
        ).uuidString.lowercased()
    }
}
