internal import GRDB

/// The tables. A migration that has been released never changes; a new one follows it.
extension SQLiteStorage {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1: jobs, responses, batches, files") { database in
            try database.execute(sql: tables)
            try database.execute(sql: counts)
            for (table, kind, bytes) in counted {
                try database.execute(sql: triggers(table, kind: kind, bytes: bytes))
            }
        }
        // An application's keys come and go; what it has stored stays its own.
        migrator.registerMigration("2: applications own what is stored") { database in
            for table in ["jobs", "responses", "batches", "files", "counts"] {
                try database.execute(
                    sql: "ALTER TABLE \(table) RENAME COLUMN key_name TO application")
            }
            for table in ["jobs", "responses", "batches", "files"] {
                try database.execute(
                    sql: "ALTER TABLE \(table) ADD COLUMN key_id TEXT NOT NULL DEFAULT ''")
            }
        }
        migrator.registerMigration("3: tenants, applications, keys") { database in
            try database.execute(sql: tenantTables)
        }
        migrator.registerMigration("4: the ledger of use") { database in
            try database.execute(sql: usageTables)
        }
        return migrator
    }

    /// `key_name` is empty where no key is asked for. Times are Unix milliseconds.
    private static let tables = """
        CREATE TABLE batches (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            tenant TEXT NOT NULL,
            key_name TEXT NOT NULL,
            tier TEXT NOT NULL,
            name TEXT NOT NULL,
            input_file_id TEXT,
            created INTEGER NOT NULL,
            expires INTEGER NOT NULL,
            cancelled INTEGER,
            is_expired INTEGER NOT NULL DEFAULT 0,
            forgotten INTEGER NOT NULL
        );
        CREATE INDEX batches_of_owner ON batches (tenant, key_name, sequence);
        CREATE INDEX batches_expiring ON batches (expires) WHERE is_expired = 0;
        CREATE INDEX batches_forgotten ON batches (forgotten);

        CREATE TABLE jobs (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            tenant TEXT NOT NULL,
            key_name TEXT NOT NULL,
            tier TEXT NOT NULL,
            kind TEXT NOT NULL,
            face TEXT NOT NULL,
            body BLOB NOT NULL,
            model TEXT NOT NULL,
            state TEXT NOT NULL,
            attempts INTEGER NOT NULL DEFAULT 0,
            interruptions INTEGER NOT NULL DEFAULT 0,
            due INTEGER NOT NULL,
            created INTEGER NOT NULL,
            finished INTEGER,
            expires INTEGER,
            result BLOB,
            batch_id TEXT REFERENCES batches (id) ON DELETE CASCADE,
            name TEXT
        );
        CREATE INDEX jobs_pending ON jobs (kind = 'batch', sequence, due) WHERE state = 'pending';
        CREATE INDEX jobs_running ON jobs (sequence) WHERE state = 'running';
        CREATE INDEX jobs_expiring ON jobs (expires) WHERE expires IS NOT NULL;
        CREATE UNIQUE INDEX jobs_of_batch ON jobs (batch_id, name) WHERE batch_id IS NOT NULL;
        CREATE INDEX jobs_of_batch_in_order ON jobs (batch_id, state, sequence)
            WHERE batch_id IS NOT NULL;
        CREATE INDEX jobs_of_batch_by_page ON jobs (batch_id, sequence)
            WHERE batch_id IS NOT NULL;

        CREATE TABLE responses (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            tenant TEXT NOT NULL,
            key_name TEXT NOT NULL,
            tier TEXT NOT NULL,
            face TEXT NOT NULL,
            body BLOB NOT NULL,
            previous_id TEXT,
            completion BLOB NOT NULL,
            created INTEGER NOT NULL,
            expires INTEGER NOT NULL
        );
        CREATE INDEX responses_of_owner ON responses (tenant, key_name, sequence);
        CREATE INDEX responses_expiring ON responses (expires);

        CREATE TABLE files (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            tenant TEXT NOT NULL,
            key_name TEXT NOT NULL,
            tier TEXT NOT NULL,
            name TEXT NOT NULL,
            purpose TEXT NOT NULL,
            bytes INTEGER NOT NULL,
            parts INTEGER NOT NULL,
            is_complete INTEGER NOT NULL,
            created INTEGER NOT NULL,
            expires INTEGER
        );
        CREATE INDEX files_of_owner ON files (tenant, key_name, sequence);
        CREATE INDEX files_expiring ON files (expires) WHERE expires IS NOT NULL;
        CREATE TABLE file_parts (
            file_id TEXT NOT NULL REFERENCES files (id) ON DELETE CASCADE,
            part INTEGER NOT NULL,
            bytes BLOB NOT NULL,
            PRIMARY KEY (file_id, part)
        );
        """

    /// Kept by triggers, so that no limit costs a look at all rows.
    private static let counts = """
        CREATE TABLE counts (
            tenant TEXT NOT NULL,
            key_name TEXT NOT NULL,
            kind TEXT NOT NULL,
            count INTEGER NOT NULL,
            bytes INTEGER NOT NULL,
            PRIMARY KEY (tenant, key_name, kind)
        ) WITHOUT ROWID;
        """

    /// Table, and expressions over a row.
    private static let counted = [
        ("jobs", "ROW.kind", "LENGTH(ROW.body)"),
        ("responses", "'responses'", "LENGTH(ROW.body) + LENGTH(ROW.completion)"),
        ("batches", "'batches'", "0"),
        ("files", "'files'", "ROW.bytes"),
    ]

    private static func triggers(_ table: String, kind: String, bytes: String) -> String {
        func of(_ row: String, _ expression: String) -> String {
            expression.replacing("ROW.", with: "\(row).")
        }
        func add(_ row: String, _ count: Int, _ sign: String) -> String {
            """
            INSERT INTO counts VALUES
                (\(row).tenant, \(row).key_name, \(of(row, kind)), \(count),
                 \(sign)(\(of(row, bytes))))
            ON CONFLICT DO UPDATE SET
                count = count + excluded.count, bytes = bytes + excluded.bytes;
            """
        }
        var triggers = """
            CREATE TRIGGER \(table)_added AFTER INSERT ON \(table)
            BEGIN \(add("NEW", 1, "+")) END;
            CREATE TRIGGER \(table)_removed AFTER DELETE ON \(table)
            BEGIN \(add("OLD", -1, "-")) END;
            """
        if table == "files" {
            triggers += """
                CREATE TRIGGER files_grown AFTER UPDATE OF bytes ON files
                BEGIN \(add("OLD", -1, "-")) \(add("NEW", 1, "+")) END;
                """
        }
        return triggers
    }
}
