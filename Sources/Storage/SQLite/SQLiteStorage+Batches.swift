internal import Foundation
internal import GRDB

extension SQLiteStorage {
    package func create(
        _ batch: Batch, requests: [NewBatchRequest]
    ) throws(StorageError) {
        try write { database in
            let owner = batch.owner
            guard try database.count(.batches, of: owner).count < limits.batches else {
                throw StorageError.limitReached(.batches, limits.batches)
            }
            let created = batch.createdMilliseconds
            let forgotten = try database.end(
                created + Int64(limits.batchRetentionSeconds) * 1_000, of: owner, from: created)
            try database.execute(
                sql: """
                    INSERT INTO batches (id, tenant, application, key_id, tier, name,
                        input_file_id, created, expires, forgotten)
                    VALUES (?, ?, ?, ?, 'batch', ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    batch.id, owner.tenant, owner.application, owner.keyID, batch.name,
                    batch.inputFileID,
                    created, batch.expiresMilliseconds, forgotten,
                ])
            try insert(
                requests, into: batch.id, of: owner, now: batch.createdMilliseconds, database)
        }
    }

    package func add(
        _ requests: [NewBatchRequest], to id: String, of owner: Owner, now: Int64
    ) throws(StorageError) {
        try write { database in
            let batch = try find(id, of: owner, database)
            guard batch.cancelledMilliseconds == nil, batch.expiresMilliseconds > now else {
                throw StorageError.closed
            }
            try insert(requests, into: id, of: owner, now: now, database)
        }
    }

    private func insert(
        _ requests: [NewBatchRequest], into id: String, of owner: Owner, now: Int64,
        _ database: Database
    ) throws {
        let held = try database.count(.batch, of: owner)
        guard held.count + requests.count <= limits.batchRequests else {
            throw StorageError.limitReached(.batchRequests, limits.batchRequests)
        }
        let bytes = requests.reduce(0) { $0 + $1.body.count }
        guard held.bytes + bytes <= limits.batchBytes else {
            throw StorageError.limitReached(.batchBytes, limits.batchBytes)
        }
        for request in requests {
            let job = NewJob(
                id: request.id, owner: owner, tier: "batch", kind: .batch, face: request.face,
                body: request.body, model: request.model)
            do {
                try database.insert(job, batch: (id, request.name), now: now, expires: nil)
            } catch let error as DatabaseError
                where error.extendedResultCode == .SQLITE_CONSTRAINT_UNIQUE
            {
                throw StorageError.duplicate(request.name)
            }
        }
    }

    package func batch(_ id: String, of owner: Owner) throws(StorageError) -> Batch {
        try read { database in
            var batch = try find(id, of: owner, database)
            batch.counts = try counts(of: id, database)
            return batch
        }
    }

    package func batches(
        of owner: Owner, before: Int64?, limit: Int
    ) throws(StorageError) -> Page<Batch> {
        try read { database in
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT * FROM batches WHERE tenant = ? AND application = ? AND sequence < ?
                    ORDER BY sequence DESC LIMIT ?
                    """,
                arguments: [owner.tenant, owner.application, before ?? .max, limit + 1])
            return try Page(rows, limit: limit) { row in
                var batch = Batch(row)
                batch.counts = try counts(of: batch.id, database)
                return batch
            }
        }
    }

    package func cancelBatch(
        _ id: String, of owner: Owner, now: Int64
    ) throws(StorageError) {
        try write { database in
            _ = try find(id, of: owner, database)
            try database.execute(
                sql: "UPDATE batches SET cancelled = COALESCE(cancelled, ?) WHERE id = ?",
                arguments: [now, id])
            try database.execute(
                sql: """
                    UPDATE jobs SET state = 'cancelled', finished = ?
                    WHERE batch_id = ? AND state IN ('pending', 'running')
                    """,
                arguments: [now, id])
        }
    }

    package func requests(
        ofBatch id: String, of owner: Owner, isFinal: Bool, after: Int64?, limit: Int
    ) throws(StorageError) -> Page<Job> {
        try read { database in
            _ = try find(id, of: owner, database)
            let states =
                isFinal
                ? "'succeeded', 'failed', 'cancelled'"
                : "'pending', 'running', 'succeeded', 'failed', 'cancelled'"
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT \(Job.columnsWithoutBody) FROM jobs
                    WHERE batch_id = ? AND +state IN (\(states)) AND sequence > ?
                    ORDER BY sequence LIMIT ?
                    """,
                arguments: [id, after ?? 0, limit + 1])
            return Page(rows, limit: limit) { Job($0) }
        }
    }

    package func request(
        named name: String, ofBatch id: String, of owner: Owner
    ) throws(StorageError) -> Job {
        try read { database in
            guard
                let row = try Row.fetchOne(
                    database,
                    sql: """
                        SELECT \(Job.columns) FROM jobs
                        WHERE batch_id = ? AND name = ? AND tenant = ? AND application = ?
                        """,
                    arguments: [id, name, owner.tenant, owner.application])
            else { throw StorageError.notFound }
            return Job(row)
        }
    }

    private func find(_ id: String, of owner: Owner, _ database: Database) throws -> Batch {
        guard
            let row = try Row.fetchOne(
                database,
                sql: "SELECT * FROM batches WHERE id = ? AND tenant = ? AND application = ?",
                arguments: [id, owner.tenant, owner.application])
        else { throw StorageError.notFound }
        return Batch(row)
    }

    private func counts(of id: String, _ database: Database) throws -> Batch.Counts {
        var counts = Batch.Counts()
        let rows = try Row.fetchAll(
            database,
            sql: "SELECT state, COUNT(*) AS count FROM jobs WHERE batch_id = ? GROUP BY state",
            arguments: [id])
        for row in rows {
            let count: Int = row["count"]
            let state: String = row["state"]
            switch Job.State(rawValue: state) {
            case .pending, .running: counts.pending += count
            case .succeeded: counts.succeeded = count
            case .failed: counts.failed = count
            case .cancelled: counts.cancelled = count
            case nil: preconditionFailure("a job's row has state \(state)")
            }
        }
        return counts
    }
}

extension Batch {
    init(_ row: Row) {
        self.init(
            id: row["id"], owner: Owner(row), name: row["name"],
            inputFileID: row["input_file_id"], createdMilliseconds: row["created"],
            expiresMilliseconds: row["expires"])
        cancelledMilliseconds = row["cancelled"]
    }
}

extension Page {
    /// Of one row more than fits, if there is one.
    init(_ rows: [Row], limit: Int, _ item: (Row) throws -> Item) rethrows {
        let shown = rows.prefix(limit)
        let next: Int64? = rows.count > limit ? shown.last?["sequence"] : nil
        self.init(items: try shown.map(item), next: next)
    }
}
