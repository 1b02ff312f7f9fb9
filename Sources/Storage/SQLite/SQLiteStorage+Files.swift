internal import Foundation
internal import GRDB

/// Contents are in the database, in parts, so that a file and its description come and go together.
extension SQLiteStorage {
    package func beginFile(_ file: StoredFile) throws(StorageError) {
        try write { database in
            let owner = file.owner
            guard try database.count(.files, of: owner).count < limits.files else {
                throw StorageError.limitReached(.files, limits.files)
            }
            try database.execute(
                sql: """
                    INSERT INTO files (id, tenant, application, key_id, tier, name, purpose,
                        bytes, parts, is_complete, created, expires)
                    VALUES (?, ?, ?, ?, 'default', ?, ?, 0, 0, 0, ?, ?)
                    """,
                arguments: [
                    file.id, owner.tenant, owner.application, owner.keyID, file.name,
                    file.purpose, file.createdMilliseconds, file.expiresMilliseconds,
                ])
        }
    }

    package func append(_ bytes: [UInt8], toFile id: String) throws(StorageError) {
        guard !bytes.isEmpty else { return }
        do {
            try write { database in
                guard
                    let row = try Row.fetchOne(
                        database, sql: "SELECT * FROM files WHERE id = ? AND is_complete = 0",
                        arguments: [id])
                else { throw StorageError.notFound }
                let size: Int = row["bytes"]
                guard size + bytes.count <= limits.fileBytes else {
                    throw StorageError.limitReached(.fileBytes, limits.fileBytes)
                }
                let held = try database.count(.files, of: Owner(row)).bytes
                guard held + bytes.count <= limits.allFileBytes else {
                    throw StorageError.limitReached(.allFileBytes, limits.allFileBytes)
                }
                let part: Int = row["parts"]
                try database.execute(
                    sql: "INSERT INTO file_parts (file_id, part, bytes) VALUES (?, ?, ?)",
                    arguments: [id, part, Data(bytes)])
                try database.execute(
                    sql: "UPDATE files SET bytes = ?, parts = ? WHERE id = ?",
                    arguments: [size + bytes.count, part + 1, id])
            }
        } catch {
            if case .limitReached = error { try abandonFile(id) }
            throw error
        }
    }

    package func finishFile(
        _ id: String, name: String, purpose: String, expires: Int64?
    ) throws(StorageError) -> StoredFile {
        try write { database in
            let select = "SELECT * FROM files WHERE id = ?"
            guard let row = try Row.fetchOne(database, sql: select, arguments: [id]) else {
                throw StorageError.notFound
            }
            let end = try database.end(expires, of: Owner(row), from: row["created"])
            try database.execute(
                sql: """
                    UPDATE files SET is_complete = 1, name = ?, purpose = ?, expires = ?
                    WHERE id = ? AND is_complete = 0
                    """,
                arguments: [name, purpose, end, id])
            guard let row = try Row.fetchOne(database, sql: select, arguments: [id]) else {
                throw StorageError.notFound
            }
            return StoredFile(row)
        }
    }

    package func abandonFile(_ id: String) throws(StorageError) {
        try write { database in
            try database.execute(
                sql: "DELETE FROM files WHERE id = ? AND is_complete = 0", arguments: [id])
        }
    }

    package func file(_ id: String, of owner: Owner) throws(StorageError) -> StoredFile {
        try read { database in
            guard
                let row = try Row.fetchOne(
                    database,
                    sql: """
                        SELECT * FROM files
                        WHERE id = ? AND tenant = ? AND application = ? AND is_complete = 1
                        """,
                    arguments: [id, owner.tenant, owner.application])
            else { throw StorageError.notFound }
            return StoredFile(row)
        }
    }

    package func files(
        of owner: Owner, before: Int64?, limit: Int
    ) throws(StorageError) -> Page<StoredFile> {
        try read { database in
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT * FROM files
                    WHERE tenant = ? AND application = ? AND sequence < ? AND is_complete = 1
                    ORDER BY sequence DESC LIMIT ?
                    """,
                arguments: [owner.tenant, owner.application, before ?? .max, limit + 1])
            return Page(rows, limit: limit) { StoredFile($0) }
        }
    }

    package func position(ofFile id: String, of owner: Owner) throws(StorageError) -> Int64 {
        try read { database in
            guard
                let sequence = try Int64.fetchOne(
                    database,
                    sql: """
                        SELECT sequence FROM files
                        WHERE id = ? AND tenant = ? AND application = ? AND is_complete = 1
                        """,
                    arguments: [id, owner.tenant, owner.application])
            else { throw StorageError.notFound }
            return sequence
        }
    }

    package func deleteFile(_ id: String, of owner: Owner) throws(StorageError) {
        try delete("files", id, of: owner)
    }

    package func content(ofFile id: String, part index: Int) throws(StorageError) -> [UInt8]? {
        try read { database in
            try Data.fetchOne(
                database, sql: "SELECT bytes FROM file_parts WHERE file_id = ? AND part = ?",
                arguments: [id, index]
            ).map { Array($0) }
        }
    }
}

extension StoredFile {
    init(_ row: Row) {
        self.init(
            id: row["id"], owner: Owner(row), name: row["name"], purpose: row["purpose"],
            bytes: row["bytes"], createdMilliseconds: row["created"],
            expiresMilliseconds: row["expires"])
    }
}
