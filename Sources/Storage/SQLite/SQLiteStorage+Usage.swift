internal import GRDB

extension SQLiteStorage: UsageLedger {
    package func record(_ entries: [UsageEntry]) throws(StorageError) -> [UsageRow] {
        guard !entries.isEmpty else { return [] }
        return try write { database in
            var head = try UsageHead(database)
            var written: [UsageRow] = []
            for entry in entries {
                let known = try database.usageRows(ofRequest: entry.usageID)
                guard var row = UsageRow(entry, known) else { continue }
                row.sequence = head.sequence + 1
                row.hash = UsageChain.hash(row, after: head.hash, digest)
                try database.insert(row)
                head = UsageHead(sequence: row.sequence, hash: row.hash)
                written.append(row)
            }
            if !written.isEmpty { try head.write(database) }
            return written
        }
    }

    package func usageTotals() throws(StorageError) -> [UsageTotal] {
        try read { database in
            try Row.fetchAll(
                database, sql: "SELECT * FROM usage_totals ORDER BY tenant, key_id"
            ).map {
                UsageTotal(
                    tenant: $0["tenant"], keyID: $0["key_id"], tokens: $0["tokens"],
                    ticks: $0["ticks"])
            }
        }
    }

    package func usage(_ query: UsageQuery) throws(StorageError) -> [UsageSum] {
        let columns = query.by.map(\.column)
        let (condition, arguments) = query.condition
        let group =
            columns.isEmpty
            ? ""
            : "GROUP BY \(columns.joined(separator: ", ")) "
                + "ORDER BY \(columns.joined(separator: ", "))"
        let shown = columns.map { "\($0), " }.joined()
        return try read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT \(shown) COUNT(DISTINCT usage_id), TOTAL(prompt_tokens),
                        TOTAL(cached_tokens), TOTAL(completion_tokens), TOTAL(reasoning_tokens),
                        TOTAL(undelivered_tokens), COALESCE(SUM(ticks), 0)
                    FROM usage WHERE \(condition) \(group)
                    """,
                arguments: arguments
            ).map { row in
                let first = columns.count
                func number(_ index: Int) -> Int64 { Int64((row[first + index] as Double?) ?? 0) }
                return UsageSum(
                    values: columns.indices.map { row[$0] ?? "" }, requests: row[first],
                    promptTokens: number(1), cachedTokens: number(2),
                    completionTokens: number(3), reasoningTokens: number(4),
                    undeliveredTokens: number(5), ticks: row[first + 6])
            }
        }
    }

    package func usageRows(
        _ query: UsageQuery, after: Int64, limit: Int
    ) throws(StorageError) -> [UsageRow] {
        let (condition, arguments) = query.condition
        return try read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT * FROM usage WHERE \(condition) AND sequence > ?
                    ORDER BY sequence LIMIT ?
                    """,
                arguments: arguments + [after, limit]
            ).map { UsageRow($0) }
        }
    }

    package func verifyUsage() throws(StorageError) -> UsageVerification {
        try read { database in
            var found = UsageVerification(rows: 0, head: UsageChain.origin, fault: nil)
            let rows = try Row.fetchCursor(
                database, sql: "SELECT * FROM usage ORDER BY sequence")
            while let next = try rows.next() {
                let row = UsageRow(next)
                guard row.sequence == found.rows + 1 else {
                    found.fault = "row \(found.rows + 1) is missing"
                    return found
                }
                guard row.hash == UsageChain.hash(row, after: found.head, digest) else {
                    found.fault = "row \(row.sequence) is not what was written"
                    return found
                }
                found.rows = row.sequence
                found.head = row.hash
            }
            let head = try UsageHead(database)
            if head.sequence != found.rows || head.hash != found.head {
                found.fault = "the ledger ended with row \(head.sequence)"
            }
            return found
        }
    }
}

/// The last row, kept apart so that its loss is seen.
private struct UsageHead {
    var sequence: Int64
    var hash: String

    init(sequence: Int64, hash: String) {
        self.sequence = sequence
        self.hash = hash
    }

    init(_ database: Database) throws {
        let row = try Row.fetchOne(
            try database.cachedStatement(sql: "SELECT sequence, hash FROM usage_head"))
        self.init(sequence: row?["sequence"] ?? 0, hash: row?["hash"] ?? UsageChain.origin)
    }

    func write(_ database: Database) throws {
        try database.cachedStatement(
            sql: "INSERT OR REPLACE INTO usage_head (id, sequence, hash) VALUES (1, ?, ?)"
        ).execute(arguments: [sequence, hash])
    }
}

extension UsageQuery.Dimension {
    fileprivate var column: String {
        switch self {
        case .tenant: "tenant"
        case .application: "application"
        case .key: "key_id"
        case .model: "model"
        case .tier: "tier"
        case .day: "DATE(time / 1000, 'unixepoch')"
        }
    }
}

extension UsageQuery {
    fileprivate var condition: (String, StatementArguments) {
        var parts = ["1"]
        var arguments = StatementArguments()
        func add(_ condition: String, _ value: (any DatabaseValueConvertible)?) {
            guard let value else { return }
            parts.append(condition)
            arguments += [value]
        }
        add("time >= ?", from)
        add("time < ?", to)
        add("tenant = ?", tenant)
        add("key_id = ?", keyID)
        add("model = ?", model)
        return (parts.joined(separator: " AND "), arguments)
    }
}

extension UsageRow {
    /// What `entry` adds to the rows that its request has; nil for nothing.
    fileprivate init?(_ entry: UsageEntry, _ known: [UsageRow]) {
        var added = entry
        let before = known.last?.entry.positions ?? []
        let count = max(before.count, entry.positions.count)
        added.positions = (0..<count).map { index in
            max(
                index < before.count ? before[index] : 0,
                index < entry.positions.count ? entry.positions[index] : 0)
        }
        let generated = added.positions.reduce(0, +) - before.reduce(0, +)
        func more(_ value: (UsageEntry) -> Int) -> Int {
            max(0, value(entry) - known.reduce(0) { $0 + value($1.entry) })
        }
        added.promptTokens = more(\.promptTokens)
        added.cachedTokens = min(more(\.cachedTokens), added.promptTokens)
        added.reasoningTokens = min(more(\.reasoningTokens), generated)
        added.undeliveredTokens = min(more(\.undeliveredTokens), generated)
        guard generated > 0 || added.promptTokens > 0 else { return nil }
        sequence = 0
        kind = known.isEmpty ? .settlement : .adjustment
        // What was agreed at the settlement holds.
        if let first = known.first { added.price = first.entry.price }
        ticks = added.price?.ticks(
            prompt: added.promptTokens, cached: added.cachedTokens, generated: generated)
        completionTokens = generated - added.reasoningTokens
        hash = ""
        self.entry = added
    }

    fileprivate init(_ row: Row) {
        var entry = UsageEntry(
            usageID: row["usage_id"], requestID: row["request_id"], timeMilliseconds: row["time"],
            tenant: row["tenant"], keyID: row["key_id"], model: row["model"], tier: row["tier"])
        entry.application = row["application"]
        entry.promptTokens = row["prompt_tokens"]
        entry.cachedTokens = row["cached_tokens"]
        entry.reasoningTokens = row["reasoning_tokens"]
        entry.undeliveredTokens = row["undelivered_tokens"]
        let positions: String = row["positions"]
        entry.positions = positions.split(separator: ",").compactMap { Int($0) }
        entry.finishReason = row["finish_reason"]
        if let prompt: Int64 = row["prompt_price"], let cached: Int64 = row["cached_price"],
            let completion: Int64 = row["completion_price"]
        {
            entry.price = UsagePrice(prompt: prompt, cached: cached, completion: completion)
        }
        self.init(
            sequence: row["sequence"],
            // Any other word has another hash.
            kind: Kind(rawValue: row["kind"]) ?? .adjustment, entry: entry,
            completionTokens: row["completion_tokens"], ticks: row["ticks"], hash: row["hash"])
    }
}

extension Database {
    fileprivate func usageRows(ofRequest id: String) throws -> [UsageRow] {
        try Row.fetchAll(
            try cachedStatement(sql: "SELECT * FROM usage WHERE usage_id = ? ORDER BY sequence"),
            arguments: [id]
        ).map { UsageRow($0) }
    }

    /// By statements that are compiled once: compiling takes longer than running.
    fileprivate func insert(_ row: UsageRow) throws {
        let entry = row.entry
        try cachedStatement(
            sql: """
                INSERT INTO usage (sequence, kind, time, usage_id, request_id, tenant,
                    application, key_id, model, tier, prompt_tokens, cached_tokens,
                    completion_tokens, reasoning_tokens, undelivered_tokens, positions,
                    prompt_price, cached_price, completion_price, ticks, finish_reason, hash)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(
            arguments: [
                row.sequence, row.kind.rawValue, entry.timeMilliseconds, entry.usageID,
                entry.requestID, entry.tenant, entry.application, entry.keyID, entry.model,
                entry.tier, entry.promptTokens, entry.cachedTokens, row.completionTokens,
                entry.reasoningTokens, entry.undeliveredTokens, UsageChain.text(entry.positions),
                entry.price?.prompt, entry.price?.cached, entry.price?.completion, row.ticks,
                entry.finishReason, row.hash,
            ])
        let tokens = entry.promptTokens + row.completionTokens + entry.reasoningTokens
        try cachedStatement(
            sql: """
                INSERT INTO usage_totals (tenant, key_id, tokens, ticks) VALUES (?, ?, ?, ?)
                ON CONFLICT DO UPDATE SET
                    tokens = tokens + excluded.tokens, ticks = ticks + excluded.ticks
                """
        ).execute(
            arguments: [entry.tenant, entry.keyID, tokens, row.ticks ?? 0])
    }
}

extension SQLiteStorage {
    /// Times are Unix milliseconds, prices USD ticks a token. `positions` is cumulative.
    static let usageTables = """
        CREATE TABLE usage (
            sequence INTEGER PRIMARY KEY,
            kind TEXT NOT NULL,
            time INTEGER NOT NULL,
            usage_id TEXT NOT NULL,
            request_id TEXT NOT NULL,
            tenant TEXT NOT NULL,
            application TEXT NOT NULL,
            key_id TEXT NOT NULL,
            model TEXT NOT NULL,
            tier TEXT NOT NULL,
            prompt_tokens INTEGER NOT NULL,
            cached_tokens INTEGER NOT NULL,
            completion_tokens INTEGER NOT NULL,
            reasoning_tokens INTEGER NOT NULL,
            undelivered_tokens INTEGER NOT NULL,
            positions TEXT NOT NULL,
            prompt_price INTEGER,
            cached_price INTEGER,
            completion_price INTEGER,
            ticks INTEGER,
            finish_reason TEXT NOT NULL,
            hash TEXT NOT NULL
        );
        CREATE INDEX usage_of_request ON usage (usage_id, sequence);
        CREATE UNIQUE INDEX usage_settled_once ON usage (usage_id) WHERE kind = 'settlement';
        CREATE INDEX usage_of_tenant ON usage (tenant, time);
        CREATE TRIGGER usage_unchanged BEFORE UPDATE ON usage
            BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
        CREATE TRIGGER usage_kept BEFORE DELETE ON usage
            BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
        CREATE TABLE usage_head (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            sequence INTEGER NOT NULL,
            hash TEXT NOT NULL
        );
        CREATE TABLE usage_totals (
            tenant TEXT NOT NULL,
            key_id TEXT NOT NULL,
            tokens INTEGER NOT NULL,
            ticks INTEGER NOT NULL,
            PRIMARY KEY (tenant, key_id)
        ) WITHOUT ROWID;
        """
}
