internal import Foundation
internal import GRDB

extension SQLiteStorage {
    package func store(_ response: StoredResponse) throws(StorageError) {
        try write { database in try insert(response, in: database) }
    }

    /// Beyond the owner's limit the oldest ones go.
    func insert(_ response: StoredResponse, in database: Database) throws {
        let owner = response.owner
        let created = response.createdMilliseconds
        let expires = try database.end(
            created + Int64(limits.responseSeconds) * 1_000, of: owner, from: created)
        try database.execute(
            sql: """
                INSERT INTO responses (id, tenant, application, key_id, tier, face, body,
                    previous_id, completion, created, expires)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                response.id, owner.tenant, owner.application, owner.keyID, response.tier,
                response.face, Data(response.body), response.previousID, Data(response.completion),
                created, expires,
            ])
        let excess = try database.count(.responses, of: owner).count - limits.responses
        guard excess > 0 else { return }
        try database.execute(
            sql: """
                DELETE FROM responses WHERE sequence IN (
                    SELECT sequence FROM responses WHERE tenant = ? AND application = ?
                    ORDER BY sequence LIMIT ?)
                """,
            arguments: [owner.tenant, owner.application, excess])
    }

    package func response(
        _ id: String, of owner: Owner
    ) throws(StorageError) -> StoredResponse {
        try read { database in
            guard
                let row = try Row.fetchOne(
                    database,
                    sql: """
                        SELECT * FROM responses WHERE id = ? AND tenant = ? AND application = ?
                        """,
                    arguments: [id, owner.tenant, owner.application])
            else { throw StorageError.notFound }
            return StoredResponse(
                id: row["id"], owner: Owner(row), tier: row["tier"], face: row["face"],
                body: row.bytes("body") ?? [], previousID: row["previous_id"],
                completion: row.bytes("completion") ?? [], createdMilliseconds: row["created"])
        }
    }

    package func deleteResponse(_ id: String, of owner: Owner) throws(StorageError) {
        try delete("responses", id, of: owner)
    }
}
