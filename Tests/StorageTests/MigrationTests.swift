import Foundation
import GRDB
import Testing

@testable import Storage

/// Files that earlier versions wrote, with what was in them.
@Suite struct MigrationTests {
    private static let first = "1: jobs, responses, batches, files"

    @Test func whatTheFirstVersionStoredIsItsApplications() throws {
        let folder = try Folder()
        let old = try DatabaseQueue(path: folder.path())
        try SQLiteStorage.migrator.migrate(old, upTo: Self.first)
        try old.write { database in
            try database.execute(
                sql: """
                    INSERT INTO batches VALUES
                        (1, 'b', 'default', 'alice', 'batch', 'nightly', NULL, 10, 99, NULL, 0,
                         999);
                    INSERT INTO jobs (id, tenant, key_name, tier, kind, face, body, model, state,
                            due, created, finished, result, batch_id, name) VALUES
                        ('done', 'default', 'alice', 'default', 'deferred', 'f', x'01', 'm',
                         'succeeded', 10, 10, 20, x'0203', NULL, NULL),
                        ('waiting', 'default', 'alice', 'default', 'deferred', 'f', x'04', 'm',
                         'pending', 11, 11, NULL, NULL, NULL, NULL),
                        ('one', 'default', 'alice', 'batch', 'batch', 'f', x'05', 'm',
                         'pending', 12, 12, NULL, NULL, 'b', 'first');
                    INSERT INTO responses VALUES
                        (1, 'r', 'default', 'alice', 'default', 'responses', x'06', NULL, x'07',
                         10, 999);
                    INSERT INTO files VALUES
                        (1, 'f', 'default', 'alice', 'default', 'in.jsonl', 'batch', 3, 1, 1, 10,
                         NULL);
                    INSERT INTO file_parts VALUES ('f', 0, x'080910');
                    """)
        }
        try old.close()

        var limits = StorageLimits()
        limits.jobs = 3
        let storage = try folder.open("state.sqlite", limits)
        let alice = Owner(application: "alice")
        #expect(try storage.job("done", of: alice, withBody: false).result == [2, 3])
        #expect(try storage.job("waiting", of: alice, withBody: true).body == [4])
        #expect(try storage.response("r", of: alice).completion == [7])
        #expect(try storage.file("f", of: alice).bytes == 3)
        #expect(try storage.batch("b", of: alice).counts.pending == 1)
        #expect(throws: StorageError.notFound) {
            try storage.job("done", of: other, withBody: false)
        }
        // Accepted work goes on, by whatever key its application has now.
        let claimed = try storage.claimJobs(isBatch: false, limit: 9, now: 30)
        #expect(claimed.map(\.id) == ["waiting"] && claimed[0].owner == alice)
        // What was there counts: two of three, and one more.
        try storage.accept(job("new", alice), now: 40)
        #expect(throws: StorageError.limitReached(.jobs, 3)) {
            try storage.accept(job("more", alice), now: 41)
        }
    }
}
