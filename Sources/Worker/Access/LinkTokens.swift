import Foundation
import GRPC
import HTTPTransport
import Synchronization

/// The bearer tokens of `--token-file`, one of which each call must carry. One token a line,
/// several so that a token can be exchanged for the next one; empty lines and lines that begin
/// with `#` are skipped. A token never appears in a log or an error.
final class LinkTokens: Sendable {
    /// Most tokens in a file: each call is compared with all of them.
    static let countLimit = 64
    /// Shortest token accepted, in bytes.
    static let lengthMinimumBytes = 16

    private let path: String
    /// A lock because connection loops read what a reload replaces; taken once per call.
    private let tokens: Mutex<[[UInt8]]>

    init(path: String) throws(WorkerError) {
        self.path = path
        tokens = Mutex(try Self.read(path))
    }

    /// What the file holds now.
    func read() throws(WorkerError) -> [[UInt8]] { try Self.read(path) }

    func replace(_ fresh: [[UInt8]]) { tokens.withLock { $0 = fresh } }

    /// UNAUTHENTICATED unless the fields carry a token. The same words for a missing and a wrong
    /// one.
    func refusal(_ fields: HTTPFields) -> GRPCStatus? {
        if let value = fields["authorization"], value.utf8.count > 7,
            value.prefix(7).lowercased() == "bearer ", isKnown(Array(value.utf8.dropFirst(7)))
        {
            return nil
        }
        return GRPCStatus(.unauthenticated, "this worker wants authorization: Bearer TOKEN")
    }

    /// Takes the same time wherever the first difference is, and whichever token matches.
    private func isKnown(_ candidate: [UInt8]) -> Bool {
        tokens.withLock { tokens in
            var isKnown = false
            for token in tokens {
                var difference = UInt8(candidate.count == token.count ? 0 : 1)
                for position in token.indices {
                    let other = position < candidate.count ? candidate[position] : 0
                    difference |= token[position] ^ other
                }
                if difference == 0 { isKnown = true }
            }
            return isKnown
        }
    }

    private static func read(_ path: String) throws(WorkerError) -> [[UInt8]] {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw .access(reason: "--token-file: cannot read \(path)")
        }
        let lines = String(decoding: data, as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: false)
        var tokens: [[UInt8]] = []
        for (index, line) in lines.enumerated() {
            let text = line.trimmingCharacters(in: .whitespaces)
            guard !text.isEmpty, !text.hasPrefix("#") else { continue }
            let place = "--token-file: \(path):\(index + 1)"
            guard text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
                throw .access(reason: "\(place): a token is printable ASCII without spaces")
            }
            guard text.utf8.count >= lengthMinimumBytes else {
                throw .access(
                    reason: "\(place): a token has at least \(lengthMinimumBytes) bytes")
            }
            guard tokens.count < countLimit else {
                throw .access(reason: "--token-file: \(path) has more than \(countLimit) tokens")
            }
            tokens.append(Array(text.utf8))
        }
        guard !tokens.isEmpty else { throw .access(reason: "--token-file: \(path) has no token") }
        return tokens
    }
}
