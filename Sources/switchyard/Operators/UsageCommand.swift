import ArgumentParser
import EngineProtocol
import Foundation
import Gateway
import NIOCore
import Storage

/// `switchyard usage`: what everybody used, from the ledger of a running gateway or of a data
/// directory.
struct UsageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "usage",
        abstract: "Show what was used: sums, rows, or the proof that nobody changed them.",
        subcommands: [UsageSums.self, UsageRows.self, UsageVerify.self],
        defaultSubcommand: UsageSums.self)
}

enum UsageFormat: String, ExpressibleByArgument, CaseIterable {
    case table, csv, json
}

/// Where the ledger is.
struct UsageSource: ParsableArguments {
    @OptionGroup var client: AdminClient
    @Option(help: "Read the ledger in this data directory instead of asking a gateway.")
    var dataDir: String?

    func ask(_ path: String) async throws -> Data {
        guard let dataDir else { return try await client.ask("GET", "/admin/v1/\(path)") }
        let file = "\(dataDir)/switchyard.sqlite"
        guard FileManager.default.fileExists(atPath: file) else {
            throw ValidationError("--data-dir: there is no \(file)")
        }
        let storage = try SQLiteStorage(
            path: file, digest: { SHA256.digest(ByteBuffer(bytes: $0)) })
        return Data(try UsageReport(path: path).answer(from: storage))
    }
}

struct UsageFilter: ParsableArguments {
    @Option(help: "Not before this day or time, UTC: 2026-01-31 or 2026-01-31T12:00:00Z.")
    var from: String?
    @Option(help: "Before this day or time.") var to: String?
    @Option(help: "Of this tenant only.") var tenant: String?
    @Option(help: "Of this key only.") var key: String?
    @Option(help: "Of this model only.") var model: String?
    @Option(help: "table, csv or json.") var format = UsageFormat.table

    /// With `others`, as the query of a path.
    func query(_ others: [(String, String?)]) -> String {
        let pairs: [(String, String?)] =
            [("from", from), ("to", to), ("tenant", tenant), ("key", key), ("model", model)]
            + others
        return pairs.compactMap { name, value in
            value.map { "\(name)=\(AdminClient.encoded($0))" }
        }.joined(separator: "&")
    }
}

struct UsageSums: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report", abstract: "Sums, apart for each of --by.")

    @OptionGroup var source: UsageSource
    @OptionGroup var filter: UsageFilter
    @Option(help: "tenant, application, key, model, tier, day; several with commas.")
    var by = "tenant,model"

    func run() async throws {
        let path = "usage?" + filter.query([("by", by)])
        let answer = try await source.ask(path)
        guard filter.format != .json else { return UsageTable.writeJSON(answer) }
        let columns =
            by.split(separator: ",").map(String.init) + [
                "requests", "prompt_tokens", "cached_tokens", "completion_tokens",
                "reasoning_tokens", "undelivered_tokens", "usd_ticks",
            ]
        let rows = try UsageTable.objects(answer, "usage")
        UsageTable(columns: columns, objects: rows).write(filter.format)
    }
}

struct UsageRows: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rows", abstract: "Every row of the ledger, in order.")

    @OptionGroup var source: UsageSource
    @OptionGroup var filter: UsageFilter
    @Option(help: "Behind the row of this number.") var after: Int64 = 0

    func run() async throws {
        var last = after
        var objects: [[String: Any]] = []
        var isFirst = true
        repeat {
            let path = "usage/rows?" + filter.query([("after", "\(last)")])
            objects = try UsageTable.objects(try await source.ask(path), "rows")
            last = (objects.last?["sequence"] as? NSNumber)?.int64Value ?? last
            switch filter.format {
            case .json:
                for object in objects {
                    let line = try JSONSerialization.data(
                        withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes])
                    Output.line(String(decoding: line, as: UTF8.self))
                }
            case .csv, .table:
                UsageTable(columns: UsageReport.columns, objects: objects).write(
                    filter.format, withHead: isFirst)
            }
            isFirst = false
        } while objects.count == UsageReport.rowsLimit
    }
}

struct UsageVerify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Prove that no row was changed, removed or put in.",
        discussion: """
            Each row's hash covers the row before it. The last one is printed: keep it elsewhere \
            and give it with --expect, and nobody can replace the whole ledger unseen. Exit status \
            1: it was changed.
            """)

    @OptionGroup var source: UsageSource
    @Option(help: "A hash that the ledger had before; it must still have it.")
    var expect: String?

    func run() async throws {
        let answer = try await source.ask("usage/verify")
        let object = try JSONSerialization.jsonObject(with: answer) as? [String: Any] ?? [:]
        let rows = (object["rows"] as? NSNumber)?.int64Value ?? 0
        let head = object["head"] as? String ?? ""
        if let fault = object["fault"] as? String {
            Output.error("switchyard: the ledger was changed: \(fault)")
            throw ExitCode.failure
        }
        if let expect, expect != head, try await !has(expect) {
            Output.error("switchyard: the ledger was replaced: no row has the hash \(expect)")
            throw ExitCode.failure
        }
        Output.line("\(rows) rows, unchanged; the last one's hash is \(head)")
    }

    private func has(_ hash: String) async throws -> Bool {
        var last: Int64 = 0
        while true {
            let objects = try UsageTable.objects(
                try await source.ask("usage/rows?after=\(last)"), "rows")
            if objects.contains(where: { $0["hash"] as? String == hash }) { return true }
            guard let next = (objects.last?["sequence"] as? NSNumber)?.int64Value,
                objects.count == UsageReport.rowsLimit
            else { return false }
            last = next
        }
    }
}

/// Objects of the gateway's JSON as lines.
struct UsageTable {
    let columns: [String]
    let objects: [[String: Any]]

    static func objects(_ answer: Data, _ name: String) throws -> [[String: Any]] {
        let object = try JSONSerialization.jsonObject(with: answer) as? [String: Any]
        return object?[name] as? [[String: Any]] ?? []
    }

    static func writeJSON(_ answer: Data) {
        Output.line(String(decoding: answer, as: UTF8.self).trimmingCharacters(in: .newlines))
    }

    func write(_ format: UsageFormat, withHead: Bool = true) {
        let cells = objects.map { object in columns.map { Self.text(object[$0]) } }
        guard format == .csv else {
            let head = columns.map { $0.uppercased().replacingOccurrences(of: "_", with: " ") }
            for line in TextTable([head] + cells).lines.dropFirst(withHead ? 0 : 1) {
                Output.line(line)
            }
            return
        }
        for row in (withHead ? [columns] : []) + cells {
            Output.line(row.map(Self.quoted).joined(separator: ","))
        }
    }

    private static func text(_ value: Any?) -> String {
        switch value {
        case let text as String: text
        case let number as NSNumber: number.stringValue
        default: ""
        }
    }

    /// RFC 4180 §2.
    private static func quoted(_ cell: String) -> String {
        guard cell.contains(where: { ",\"\r\n".contains($0) }) else { return cell }
        return "\"" + cell.replacingOccurrences(of: "\"", with: "\"\"") + "\""
    }
}
