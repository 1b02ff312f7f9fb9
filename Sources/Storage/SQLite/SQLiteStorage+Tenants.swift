internal import Foundation
internal import GRDB

extension SQLiteStorage {
    static let tenantTables = """
        CREATE TABLE tenants (
            id TEXT PRIMARY KEY,
            name TEXT NOT NULL,
            is_blocked INTEGER NOT NULL,
            terms TEXT NOT NULL,
            retention_seconds INTEGER,
            license TEXT,
            created INTEGER NOT NULL,
            updated INTEGER NOT NULL
        );
        CREATE TABLE applications (
            tenant TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
            name TEXT NOT NULL,
            created INTEGER NOT NULL,
            PRIMARY KEY (tenant, name)
        );
        CREATE TABLE api_keys (
            id TEXT PRIMARY KEY,
            tenant TEXT NOT NULL,
            application TEXT NOT NULL,
            name TEXT NOT NULL,
            digest BLOB NOT NULL UNIQUE,
            old_digest BLOB,
            old_until INTEGER,
            is_blocked INTEGER NOT NULL,
            terms TEXT NOT NULL,
            created INTEGER NOT NULL,
            updated INTEGER NOT NULL,
            FOREIGN KEY (tenant, application) REFERENCES applications (tenant, name)
                ON DELETE CASCADE
        );
        CREATE INDEX api_keys_of_application ON api_keys (tenant, application);
        """

    package func tenancy() throws(StorageError) -> Tenancy {
        try read { database in
            var tenancy = Tenancy()
            tenancy.tenants = try Row.fetchAll(database, sql: "SELECT * FROM tenants ORDER BY id")
                .map { try TenantRecord($0) }
            tenancy.keys = try Row.fetchAll(database, sql: "SELECT * FROM api_keys ORDER BY id")
                .map { try KeyRecord($0) }
            return tenancy
        }
    }

    package func tenant(_ id: String) throws(StorageError) -> TenantRecord {
        try read { database in
            let row = try Row.fetchOne(
                database, sql: "SELECT * FROM tenants WHERE id = ?", arguments: [id])
            guard let row else { throw StorageError.notFound }
            return try TenantRecord(row)
        }
    }

    package func create(_ tenant: TenantRecord) throws(StorageError) {
        try write { database in
            let count = try Int.fetchOne(database, sql: "SELECT COUNT(*) FROM tenants") ?? 0
            guard count < limits.tenants else {
                throw StorageError.limitReached(.tenants, limits.tenants)
            }
            let isTaken = try Bool.fetchOne(
                database, sql: "SELECT 1 FROM tenants WHERE id = ?", arguments: [tenant.id])
            guard isTaken == nil else { throw StorageError.duplicate(tenant.id) }
            try database.execute(
                sql: "INSERT INTO tenants VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                arguments: [
                    tenant.id, tenant.name, tenant.isBlocked, try json(tenant.terms),
                    tenant.terms.retentionSeconds, tenant.license, tenant.createdMilliseconds,
                    tenant.updatedMilliseconds,
                ])
        }
    }

    package func update(_ tenant: TenantRecord) throws(StorageError) {
        try write { database in
            try database.execute(
                sql: """
                    UPDATE tenants SET name = ?, is_blocked = ?, terms = ?, retention_seconds = ?,
                        license = ?, updated = ?
                    WHERE id = ?
                    """,
                arguments: [
                    tenant.name, tenant.isBlocked, try json(tenant.terms),
                    tenant.terms.retentionSeconds, tenant.license, tenant.updatedMilliseconds,
                    tenant.id,
                ])
            guard database.changesCount == 1 else { throw StorageError.notFound }
            guard let seconds = tenant.terms.retentionSeconds else { return }
            try database.shorten(of: tenant.id, milliseconds: seconds * 1_000)
        }
    }

    package func deleteTenant(_ id: String) throws(StorageError) {
        try write { database in
            try database.execute(sql: "DELETE FROM tenants WHERE id = ?", arguments: [id])
            guard database.changesCount == 1 else { throw StorageError.notFound }
            for table in ["jobs", "batches", "responses", "files"] {
                try database.execute(
                    sql: "DELETE FROM \(table) WHERE tenant = ?", arguments: [id])
            }
        }
    }

    package func applications(of tenant: String) throws(StorageError) -> [String] {
        try read { database in
            try String.fetchAll(
                database, sql: "SELECT name FROM applications WHERE tenant = ? ORDER BY name",
                arguments: [tenant])
        }
    }

    // MARK: Keys

    package func key(_ id: String) throws(StorageError) -> KeyRecord {
        try read { database in
            let row = try Row.fetchOne(
                database, sql: "SELECT * FROM api_keys WHERE id = ?", arguments: [id])
            guard let row else { throw StorageError.notFound }
            return try KeyRecord(row)
        }
    }

    package func create(_ key: KeyRecord) throws(StorageError) {
        try write { database in
            let count = try Int.fetchOne(database, sql: "SELECT COUNT(*) FROM api_keys") ?? 0
            guard count < limits.keys else {
                throw StorageError.limitReached(.keys, limits.keys)
            }
            let isThere = try Bool.fetchOne(
                database, sql: "SELECT 1 FROM tenants WHERE id = ?", arguments: [key.tenant])
            guard isThere != nil else { throw StorageError.notFound }
            try database.execute(
                sql: "INSERT INTO applications VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                arguments: [key.tenant, key.application, key.createdMilliseconds])
            try database.execute(
                sql: "INSERT INTO api_keys VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                arguments: [
                    key.id, key.tenant, key.application, key.name, Data(key.digest),
                    key.oldDigest.map { Data($0) }, key.oldUntilMilliseconds, key.isBlocked,
                    try json(key.terms), key.createdMilliseconds, key.updatedMilliseconds,
                ])
        }
    }

    package func update(_ key: KeyRecord) throws(StorageError) {
        try write { database in
            try database.execute(
                sql: """
                    UPDATE api_keys SET name = ?, digest = ?, old_digest = ?, old_until = ?,
                        is_blocked = ?, terms = ?, updated = ?
                    WHERE id = ?
                    """,
                arguments: [
                    key.name, Data(key.digest), key.oldDigest.map { Data($0) },
                    key.oldUntilMilliseconds, key.isBlocked, try json(key.terms),
                    key.updatedMilliseconds, key.id,
                ])
            guard database.changesCount == 1 else { throw StorageError.notFound }
        }
    }

    package func deleteKey(_ id: String) throws(StorageError) {
        try write { database in
            try database.execute(sql: "DELETE FROM api_keys WHERE id = ?", arguments: [id])
            guard database.changesCount == 1 else { throw StorageError.notFound }
        }
    }
}

extension Database {
    /// The earlier of an end and what the owner's tenant allows. Nil: never.
    func end(_ expires: Int64?, of owner: Owner, from created: Int64) throws -> Int64? {
        let seconds = try Int64.fetchOne(
            self,
            cached: "SELECT retention_seconds FROM tenants WHERE id = ?",
            arguments: [owner.tenant])
        guard let seconds else { return expires }
        let allowed = created + seconds * 1_000
        return expires.map { min($0, allowed) } ?? allowed
    }

    /// What a tenant has stored ends no later than it may by now.
    fileprivate func shorten(of tenant: String, milliseconds: Int64) throws {
        for (table, column) in [
            ("responses", "expires"), ("files", "expires"), ("jobs", "expires"),
            ("batches", "forgotten"),
        ] {
            try execute(
                sql: """
                    UPDATE \(table) SET \(column) = created + ?1
                    WHERE tenant = ?2 AND (\(column) IS NULL OR \(column) > created + ?1)
                    """,
                arguments: [milliseconds, tenant])
        }
    }
}

extension Int64 {
    fileprivate static func fetchOne(
        _ database: Database, cached sql: String, arguments: StatementArguments
    ) throws -> Int64? {
        try fetchOne(database.cachedStatement(sql: sql), arguments: arguments)
    }
}

private func json(_ terms: Terms) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    return String(decoding: try encoder.encode(terms), as: UTF8.self)
}

private func readTerms(_ row: Row) throws -> Terms {
    let text: String = row["terms"]
    return try JSONDecoder().decode(Terms.self, from: Data(text.utf8))
}

extension TenantRecord {
    fileprivate init(_ row: Row) throws {
        self.init(id: row["id"], name: row["name"], terms: try readTerms(row), now: 0)
        isBlocked = row["is_blocked"]
        license = row["license"]
        createdMilliseconds = row["created"]
        updatedMilliseconds = row["updated"]
    }
}

extension KeyRecord {
    fileprivate init(_ row: Row) throws {
        self.init(
            id: row["id"], tenant: row["tenant"], application: row["application"],
            name: row["name"], digest: row.bytes("digest") ?? [],
            terms: try readTerms(row), now: 0)
        oldDigest = row.bytes("old_digest")
        oldUntilMilliseconds = row["old_until"]
        isBlocked = row["is_blocked"]
        createdMilliseconds = row["created"]
        updatedMilliseconds = row["updated"]
    }
}
