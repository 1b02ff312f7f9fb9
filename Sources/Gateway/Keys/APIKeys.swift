internal import Foundation

/// The static keys of `--api-key-file`. Immutable; replaced whole.
///
/// One key a line, optionally followed by white space and a name for logs; empty lines and lines
/// that begin with `#` are skipped. Keys themselves never appear in a log or an error.
package struct APIKeys: Sendable {
    /// Most keys in a file: each request is compared with all of them.
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

    private let keys: [Key]

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
    }

    /// The name of the matching key; nil for a wrong key. Takes the same time wherever the first
    /// difference is, and whichever key matches.
    package func name(of candidate: String) -> String? {
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
        return found.map { keys[$0].name }
    }
}
