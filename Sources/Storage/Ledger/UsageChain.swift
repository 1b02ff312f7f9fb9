/// What makes a change of the ledger visible: each row's hash covers the row and the hash before
/// it, as in a hash chain of RFC 9162's kind without its tree. Who can write the file can write a
/// whole new chain: what was seen must be kept elsewhere (`switchyard usage verify` prints it).
package enum UsageChain {
    /// Before the first row.
    package static let origin = String(repeating: "0", count: 64)

    /// SHA-256; the storage has none of its own.
    package typealias Digest = @Sendable ([UInt8]) -> [UInt8]

    /// Of a row behind the row with `previous`; its own `hash` does not matter.
    static func hash(_ row: UsageRow, after previous: String, _ digest: Digest) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(512)
        bytes.append(contentsOf: previous.utf8)
        append(canonical: row, to: &bytes)
        return hexadecimal(digest(bytes))
    }

    /// Every field in a fixed order, each with its length in front, so that no two rows have the
    /// same bytes.
    private static func append(canonical row: UsageRow, to bytes: inout [UInt8]) {
        let entry = row.entry
        let price = entry.price
        let fields: [String] = [
            "\(row.sequence)", row.kind.rawValue, "\(entry.timeMilliseconds)", entry.usageID,
            entry.requestID, entry.tenant, entry.application, entry.keyID, entry.model,
            entry.tier, "\(entry.promptTokens)", "\(entry.cachedTokens)",
            "\(row.completionTokens)", "\(entry.reasoningTokens)", "\(entry.undeliveredTokens)",
            text(entry.positions), price.map { "\($0.prompt)" } ?? "-",
            price.map { "\($0.cached)" } ?? "-", price.map { "\($0.completion)" } ?? "-",
            row.ticks.map { "\($0)" } ?? "-", entry.finishReason,
        ]
        for field in fields {
            bytes.append(contentsOf: "\(field.utf8.count):".utf8)
            bytes.append(contentsOf: field.utf8)
        }
    }

    static func text(_ positions: [Int]) -> String {
        positions.map { "\($0)" }.joined(separator: ",")
    }

    private static func hexadecimal(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(
            decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] },
            as: UTF8.self)
    }
}

/// What a look at the whole ledger found.
package struct UsageVerification: Hashable, Sendable {
    package var rows: Int64
    /// Of the last row: whoever has an earlier one can see that nothing before it was changed.
    package var head: String
    /// The first thing that is wrong; nil: nothing is.
    package var fault: String?
}
