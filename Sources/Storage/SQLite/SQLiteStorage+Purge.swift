internal import Foundation
internal import GRDB

extension SQLiteStorage {
    /// An upload that has not ended by then never will.
    private static let uploadSeconds = 3_600

    package func purge(
        expired: JobOutcome, now: Int64, limit: Int
    ) throws(StorageError) -> Int {
        try write { database in
            var removed = 0
            // What runs is left to end.
            for (table, condition, time) in [
                ("jobs", "expires <= ? AND state <> 'running'", now),
                ("responses", "expires <= ?", now),
                ("files", "expires <= ?", now),
                ("files", "is_complete = 0 AND created <= ?", now - Self.uploadMilliseconds),
                ("batches", "forgotten <= ?", now),
            ] {
                try database.execute(
                    sql: """
                        DELETE FROM \(table) WHERE sequence IN (
                            SELECT sequence FROM \(table) WHERE \(condition) LIMIT ?)
                        """,
                    arguments: [time, limit])
                removed += database.changesCount
            }
            let batches = try String.fetchAll(
                database,
                sql: "SELECT id FROM batches WHERE is_expired = 0 AND expires <= ? LIMIT ?",
                arguments: [now, limit])
            for id in batches {
                try database.execute(
                    sql: """
                        UPDATE jobs SET state = ?, result = ?, finished = ?
                        WHERE batch_id = ? AND state IN ('pending', 'running')
                        """,
                    arguments: [Job.State(expired).rawValue, Data(expired.result), now, id])
                try database.execute(
                    sql: "UPDATE batches SET is_expired = 1 WHERE id = ?", arguments: [id])
            }
            return removed + batches.count
        }
    }

    private static var uploadMilliseconds: Int64 { Int64(uploadSeconds) * 1_000 }
}
