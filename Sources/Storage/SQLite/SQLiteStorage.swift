internal import Foundation
internal import GRDB

/// `Storage` in one SQLite file in write-ahead-log mode. Reads run beside each other and beside the
/// one writer; writers of other processes are waited for.
///
/// With `synchronous = NORMAL` a commit is in the operating system's hands: the end of this process
/// loses nothing. A loss of power can lose the commits since the last checkpoint (1,000 pages, or
/// 30 s of writing on a usual disk), never the file. `FULL` loses nothing then either, for an fsync
/// (0.1 to 10 ms) per commit.
package final class SQLiteStorage: Storage {
    package enum Synchronous: String, Hashable, Sendable, CaseIterable {
        case normal, full
    }

    /// How long a write waits for another process's.
    private static let busyTimeoutSeconds = 10.0
    private static let readers = 4

    package let limits: StorageLimits
    let database: DatabasePool
    /// Of the usage ledger's chain.
    let digest: UsageChain.Digest

    /// Opens or makes the file, and brings it to this version's tables.
    package init(
        path: String, limits: StorageLimits = StorageLimits(), synchronous: Synchronous = .normal,
        digest: @escaping UsageChain.Digest
    ) throws(StorageError) {
        self.limits = limits
        self.digest = digest
        var configuration = Configuration()
        configuration.busyMode = .timeout(Self.busyTimeoutSeconds)
        configuration.maximumReaderCount = Self.readers
        configuration.foreignKeysEnabled = true
        configuration.prepareDatabase { database in
            try database.execute(sql: "PRAGMA synchronous = \(synchronous.rawValue)")
        }
        do {
            if !FileManager.default.fileExists(atPath: path) {
                // A failure shows when the file is opened. SQLite gives its logs the same mode.
                _ = FileManager.default.createFile(
                    atPath: path, contents: nil, attributes: [.posixPermissions: 0o600])
            }
            database = try DatabasePool(path: path, configuration: configuration)
            try Self.migrator.migrate(database)
        } catch {
            throw .failed("\(error)")
        }
    }

    /// Writes what is in the log into the file and closes it; no call may follow.
    ///
    /// Throws when it is still in use. What is in the log is not lost then: the next start reads
    /// it.
    package func close() throws(StorageError) {
        do {
            _ = try database.writeWithoutTransaction { try $0.checkpoint(.truncate) }
            try database.close()
        } catch {
            throw .failed("\(error)")
        }
    }

    func write<Value>(
        _ change: (Database) throws -> Value
    ) throws(StorageError) -> Value {
        do {
            return try database.write(change)
        } catch let error as StorageError {
            throw error
        } catch {
            throw .failed("\(error)")
        }
    }

    func read<Value>(_ look: (Database) throws -> Value) throws(StorageError) -> Value {
        do {
            return try database.read(look)
        } catch let error as StorageError {
            throw error
        } catch {
            throw .failed("\(error)")
        }
    }
}

/// What is counted for each owner, by triggers.
enum CountedKind: String {
    case deferred, background, batch
    case responses, batches, files
}

extension Database {
    /// How many an owner has of something, and their bytes.
    func count(_ kinds: CountedKind..., of owner: Owner) throws -> (count: Int, bytes: Int) {
        let marks = kinds.map { _ in "?" }.joined(separator: ",")
        let row = try Row.fetchOne(
            self,
            sql: """
                SELECT TOTAL(count), TOTAL(bytes) FROM counts
                WHERE tenant = ? AND application = ? AND kind IN (\(marks))
                """,
            arguments: [owner.tenant, owner.application] + StatementArguments(kinds.map(\.rawValue))
        )
        return (Int(row?[0] ?? 0.0), Int(row?[1] ?? 0.0))
    }
}
