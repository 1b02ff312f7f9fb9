import Foundation
package import InferenceAPI
package import Storage

/// What is asked of the ledger, over the admin port or of the file itself:
/// `usage?by=tenant,day&from=…`, `usage/rows?after=…&limit=…`, `usage/verify`.
package struct UsageReport: Hashable, Sendable {
    private enum Kind: Hashable {
        case sums, rows, verify
    }

    /// Rows in one answer at most.
    package static let rowsLimit = 1_000

    private var kind: Kind
    private var query = UsageQuery()
    private var after: Int64 = 0
    private var limit = rowsLimit

    /// - Parameter path: from `usage` on.
    ///
    /// Throws `routeNotFound` and `invalidValue`.
    package init(path: String) throws(APIError) {
        let parts = path.split(separator: "?", maxSplits: 1)
        switch parts.first {
        case "usage": kind = .sums
        case "usage/rows": kind = .rows
        case "usage/verify": kind = .verify
        default: throw APIError(.routeNotFound, "Unknown path.")
        }
        for pair in parts.dropFirst().first?.split(separator: "&") ?? [] {
            let sides = pair.split(separator: "=", maxSplits: 1).map {
                String($0).removingPercentEncoding ?? ""
            }
            try read(sides[0], sides.count > 1 ? sides[1] : "")
        }
    }

    private mutating func read(_ name: String, _ value: String) throws(APIError) {
        switch name {
        case "by":
            for word in value.split(separator: ",") {
                guard let dimension = UsageQuery.Dimension(rawValue: String(word)) else {
                    let known = UsageQuery.Dimension.allCases.map(\.rawValue)
                    throw Self.invalid("by", "one or more of \(known.joined(separator: ","))")
                }
                query.by.append(dimension)
            }
        case "from": query.from = try Self.time("from", value)
        case "to": query.to = try Self.time("to", value)
        case "tenant": query.tenant = value
        case "key": query.keyID = value
        case "model": query.model = value
        case "after":
            guard let number = Int64(value) else { throw Self.invalid("after", "a row's number") }
            after = number
        case "limit":
            guard let number = Int(value), (1...Self.rowsLimit).contains(number) else {
                throw Self.invalid("limit", "1...\(Self.rowsLimit)")
            }
            limit = number
        default: throw APIError(.invalidValue, "\(name.prefix(64)) is not known here.")
        }
    }

    /// A day (its beginning, UTC) or a time as RFC 3339 has it, as Unix milliseconds.
    private static func time(_ name: String, _ value: String) throws(APIError) -> Int64 {
        let text = value.count == 10 ? value + "T00:00:00Z" : value
        guard let date = try? Date(text, strategy: .iso8601) else {
            throw invalid(name, "a day, 2026-01-31, or a time, 2026-01-31T12:00:00Z")
        }
        return Int64(date.timeIntervalSince1970 * 1_000)
    }

    private static func invalid(_ name: String, _ allowed: String) -> APIError {
        APIError(.invalidValue, "\(name) must be \(allowed).", parameter: name)
    }

    // MARK: The answer

    /// As JSON. Blocks.
    package func answer(from ledger: any UsageLedger) throws(StorageError) -> [UInt8] {
        switch kind {
        case .sums:
            let sums = try ledger.usage(query)
            return Self.json(["usage": .list(sums.map { .object(fields($0)) })])
        case .rows:
            let rows = try ledger.usageRows(query, after: after, limit: limit)
            return Self.json(["rows": .list(rows.map { .object(Self.fields($0)) })])
        case .verify:
            let found = try ledger.verifyUsage()
            return Self.json([
                "rows": .number(found.rows), "head": .text(found.head),
                "fault": found.fault.map { .text($0) } ?? .null,
            ])
        }
    }

    private func fields(_ sum: UsageSum) -> [String: Value] {
        var fields: [String: Value] = [
            "requests": .number(sum.requests), "prompt_tokens": .number(sum.promptTokens),
            "cached_tokens": .number(sum.cachedTokens),
            "completion_tokens": .number(sum.completionTokens),
            "reasoning_tokens": .number(sum.reasoningTokens),
            "undelivered_tokens": .number(sum.undeliveredTokens),
            "usd_ticks": .number(sum.ticks),
        ]
        for (dimension, value) in zip(query.by, sum.values) {
            fields[dimension.rawValue] = .text(value)
        }
        return fields
    }

    /// Of a row, in the order in which tables have them.
    package static let columns = [
        "sequence", "kind", "time", "usage_id", "request_id", "tenant", "application", "key",
        "model", "tier", "prompt_tokens", "cached_tokens", "completion_tokens",
        "reasoning_tokens", "undelivered_tokens", "usd_ticks", "finish_reason", "hash",
    ]

    private static func fields(_ row: UsageRow) -> [String: Value] {
        let entry = row.entry
        let date = Date(timeIntervalSince1970: Double(entry.timeMilliseconds) / 1_000)
        return [
            "sequence": .number(row.sequence), "kind": .text(row.kind.rawValue),
            "time": .text(date.formatted(.iso8601.time(includingFractionalSeconds: true))),
            "usage_id": .text(entry.usageID), "request_id": .text(entry.requestID),
            "tenant": .text(entry.tenant), "application": .text(entry.application),
            "key": .text(entry.keyID), "model": .text(entry.model), "tier": .text(entry.tier),
            "prompt_tokens": .number(Int64(entry.promptTokens)),
            "cached_tokens": .number(Int64(entry.cachedTokens)),
            "completion_tokens": .number(Int64(row.completionTokens)),
            "reasoning_tokens": .number(Int64(entry.reasoningTokens)),
            "undelivered_tokens": .number(Int64(entry.undeliveredTokens)),
            "usd_ticks": row.ticks.map { .number($0) } ?? .null,
            "finish_reason": .text(entry.finishReason), "hash": .text(row.hash),
        ]
    }

    private indirect enum Value: Encodable {
        case text(String)
        case number(Int64)
        case null
        case list([Value])
        case object([String: Value])

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .text(let text): try container.encode(text)
            case .number(let number): try container.encode(number)
            case .null: try container.encodeNil()
            case .list(let values): try container.encode(values)
            case .object(let values): try container.encode(values)
            }
        }
    }

    private static func json(_ value: [String: Value]) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(value) else {
            preconditionFailure("texts and numbers cannot be encoded")
        }
        return Array(data) + [UInt8(ascii: "\n")]
    }
}
