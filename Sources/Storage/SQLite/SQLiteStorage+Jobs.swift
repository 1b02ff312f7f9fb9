internal import Foundation
internal import GRDB

extension SQLiteStorage {
    package func accept(_ job: NewJob, now: Int64) throws(StorageError) {
        try write { database in
            let held = try database.count(.deferred, .background, of: job.owner)
            guard held.count < limits.jobs else {
                throw StorageError.limitReached(.jobs, limits.jobs)
            }
            guard held.bytes + job.body.count <= limits.jobBytes else {
                throw StorageError.limitReached(.jobBytes, limits.jobBytes)
            }
            let expires = try database.end(
                now + Int64(limits.deferredSeconds) * 1_000, of: job.owner, from: now)
            try database.insert(job, batch: nil, now: now, expires: expires)
        }
    }

    package func claimJobs(
        isBatch: Bool, limit: Int, now: Int64
    ) throws(StorageError) -> [Job] {
        guard limit > 0 else { return [] }
        return try write { database in
            let rows = try Row.fetchAll(
                database,
                sql: """
                    UPDATE jobs SET state = 'running', attempts = attempts + 1
                    WHERE sequence IN (
                        SELECT sequence FROM jobs
                        WHERE state = 'pending' AND (kind = 'batch') = ? AND due <= ?
                        ORDER BY sequence LIMIT ?)
                    RETURNING *
                    """,
                arguments: [isBatch, now, limit])
            // RETURNING promises no order.
            return rows.map { Job($0) }.sorted { $0.sequence < $1.sequence }
        }
    }

    package func release(job sequence: Int64, due: Int64) throws(StorageError) {
        try write { database in
            try database.execute(
                sql: """
                    UPDATE jobs SET state = 'pending', due = ?
                    WHERE sequence = ? AND state = 'running'
                    """,
                arguments: [due, sequence])
        }
    }

    package func finish(
        job sequence: Int64, _ outcome: JobOutcome, storing response: StoredResponse?, now: Int64
    ) throws(StorageError) -> Bool {
        try write { database in
            try database.execute(
                sql: """
                    UPDATE jobs SET state = ?, result = ?, finished = ?,
                        expires = CASE kind WHEN 'batch' THEN NULL ELSE MIN(?, COALESCE(
                            (SELECT ? + retention_seconds * 1000 FROM tenants
                             WHERE tenants.id = jobs.tenant), 9223372036854775807)) END
                    WHERE sequence = ? AND state = 'running'
                    """,
                arguments: [
                    Job.State(outcome).rawValue, Data(outcome.result), now,
                    now + Int64(limits.deferredSeconds) * 1_000, now, sequence,
                ])
            guard database.changesCount == 1 else { return false }
            if let response { try insert(response, in: database) }
            return true
        }
    }

    package func recoverJobs(
        interrupted: JobOutcome, now: Int64
    ) throws(StorageError) -> Int {
        try write { database in
            try database.execute(
                sql: """
                    UPDATE jobs SET state = ?, result = ?, finished = ?
                    WHERE state = 'running' AND interruptions + 1 >= ?
                    """,
                arguments: [
                    Job.State(interrupted).rawValue, Data(interrupted.result), now,
                    limits.interruptions,
                ])
            try database.execute(
                sql: """
                    UPDATE jobs SET state = 'pending', interruptions = interruptions + 1, due = ?
                    WHERE state = 'running'
                    """,
                arguments: [now])
            return database.changesCount
        }
    }

    package func job(
        _ id: String, of owner: Owner, withBody: Bool
    ) throws(StorageError) -> Job {
        try read { database in
            guard
                let row = try Row.fetchOne(
                    database,
                    sql: """
                        SELECT \(withBody ? Job.columns : Job.columnsWithoutBody) FROM jobs
                        WHERE id = ? AND tenant = ? AND application = ?
                        """,
                    arguments: [id, owner.tenant, owner.application])
            else { throw StorageError.notFound }
            return Job(row)
        }
    }

    package func cancel(
        job id: String, _ kind: Job.Kind, of owner: Owner, now: Int64
    ) throws(StorageError) -> Bool {
        try write { database in
            try database.execute(
                sql: """
                    UPDATE jobs SET state = 'cancelled', finished = ?
                    WHERE id = ? AND kind = ? AND tenant = ? AND application = ?
                        AND state IN ('pending', 'running')
                    """,
                arguments: [now, id, kind.rawValue, owner.tenant, owner.application])
            guard database.changesCount == 0 else { return true }
            let found = try Bool.fetchOne(
                database,
                sql: """
                    SELECT 1 FROM jobs
                    WHERE id = ? AND kind = ? AND tenant = ? AND application = ?
                    """,
                arguments: [id, kind.rawValue, owner.tenant, owner.application])
            guard found == true else { throw StorageError.notFound }
            return false
        }
    }

    package func deleteJob(
        _ id: String, _ kind: Job.Kind, of owner: Owner
    ) throws(StorageError) {
        try write { database in
            try database.execute(
                sql: """
                    DELETE FROM jobs WHERE id = ? AND kind = ? AND tenant = ? AND application = ?
                    """,
                arguments: [id, kind.rawValue, owner.tenant, owner.application])
            guard database.changesCount > 0 else { throw StorageError.notFound }
        }
    }

    package func cancelledJobs(among sequences: [Int64]) throws(StorageError) -> [Int64] {
        try read { database in
            let marks = sequences.map { _ in "?" }.joined(separator: ",")
            let running = try Int64.fetchSet(
                database,
                sql: "SELECT sequence FROM jobs WHERE state = 'running' AND sequence IN (\(marks))",
                arguments: StatementArguments(sequences))
            return sequences.filter { !running.contains($0) }
        }
    }

    func delete(_ table: String, _ id: String, of owner: Owner) throws(StorageError) {
        try write { database in
            try database.execute(
                sql: "DELETE FROM \(table) WHERE id = ? AND tenant = ? AND application = ?",
                arguments: [id, owner.tenant, owner.application])
            guard database.changesCount > 0 else { throw StorageError.notFound }
        }
    }
}

extension Database {
    /// Throws `notFound`.
    func require(_ table: String, _ id: String, of owner: Owner) throws {
        let found = try Bool.fetchOne(
            self,
            sql: "SELECT 1 FROM \(table) WHERE id = ? AND tenant = ? AND application = ?",
            arguments: [id, owner.tenant, owner.application])
        guard found == true else { throw StorageError.notFound }
    }

    func insert(
        _ job: NewJob, batch: (id: String, name: String)?, now: Int64, expires: Int64?
    ) throws {
        let statement = try cachedStatement(
            sql: """
                INSERT INTO jobs (id, tenant, application, key_id, tier, kind, face, body, model,
                    state, due, created, expires, batch_id, name)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', ?, ?, ?, ?, ?)
                """)
        try statement.execute(arguments: [
            job.id, job.owner.tenant, job.owner.application, job.owner.keyID, job.tier,
            job.kind.rawValue, job.face,
            Data(job.body), job.model, now, now, expires, batch?.id, batch?.name,
        ])
    }
}

extension Job {
    static let columnsWithoutBody = """
        sequence, id, tenant, application, key_id, tier, kind, face, x'' AS body, model, state,
        attempts, created, finished, result, batch_id, name
        """
    static let columns = columnsWithoutBody.replacing("x'' AS body", with: "body")

    init(_ row: Row) {
        let words: (kind: String, state: String) = (row["kind"], row["state"])
        guard let kind = Kind(rawValue: words.kind), let state = State(rawValue: words.state)
        else { preconditionFailure("a job's row has kind \(words.kind), state \(words.state)") }
        self.init(
            sequence: row["sequence"], id: row["id"], owner: Owner(row), tier: row["tier"],
            kind: kind, face: row["face"], body: row.bytes("body") ?? [], model: row["model"],
            state: state,
            attempts: row["attempts"], createdMilliseconds: row["created"],
            finishedMilliseconds: row["finished"], result: row.bytes("result"),
            batchID: row["batch_id"], name: row["name"])
    }
}

extension Job.State {
    init(_ outcome: JobOutcome) {
        self = outcome.succeeded ? .succeeded : .failed
    }
}

extension Owner {
    /// Of a job, a response, a batch or a file.
    init(_ row: Row) {
        self.init(
            tenant: row["tenant"], application: row["application"], keyID: row["key_id"])
    }
}

extension Row {
    func bytes(_ column: String) -> [UInt8]? {
        let data: Data? = self[column]
        return data.map { Array($0) }
    }
}
