import EngineProtocol
import Foundation
import NIOCore
import Testing

@testable import Storage

/// A folder for one database. All are removed when the process ends: a database outlives whoever
/// made its folder.
struct Folder {
    private static let root: URL = {
        let url = FileManager.default.temporaryDirectory
            .appendingPathComponent("sy-storage-\(ProcessInfo.processInfo.processIdentifier)")
        atexit { try? FileManager.default.removeItem(at: Folder.root) }
        return url
    }()

    private let url = root.appendingPathComponent(UUID().uuidString)

    init() throws {
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    func path(_ name: String = "state.sqlite") -> String {
        url.appendingPathComponent(name).path
    }

    func open(
        _ name: String = "state.sqlite", _ limits: StorageLimits = StorageLimits()
    ) throws -> SQLiteStorage {
        try SQLiteStorage(
            path: path(name), limits: limits, digest: { SHA256.digest(ByteBuffer(bytes: $0)) })
    }

    /// The file and its log as a process that ends now would leave them.
    func crash(to copy: String) throws {
        for suffix in ["", "-wal"] {
            try FileManager.default.copyItem(
                atPath: path() + suffix, toPath: path(copy) + suffix)
        }
    }
}

let owner = Owner(application: "alice", keyID: "key-1")
let other = Owner(application: "bob")
let failure = JobOutcome(succeeded: false, result: Array("late".utf8))
let success = JobOutcome(succeeded: true, result: Array("yes".utf8))

func job(_ id: String, _ owner: Owner = owner) -> NewJob {
    NewJob(
        id: id, owner: owner, tier: "default", kind: .deferred, face: "chat_completions",
        body: Array(id.utf8), model: "m")
}

@Suite struct JobTests {
    @Test func runsFromAcceptanceToItsResult() throws {
        let folder = try Folder()
        let storage = try folder.open()
        try storage.accept(job("a"), now: 1_000)
        #expect(try storage.job("a", of: owner, withBody: true).body == Array("a".utf8))
        #expect(try storage.job("a", of: owner, withBody: false).state == .pending)
        let claimed = try storage.claimJobs(isBatch: false, limit: 5, now: 1_000)
        #expect(claimed.map(\.id) == ["a"] && claimed[0].owner.keyID == "key-1")
        #expect(claimed[0].attempts == 1 && claimed[0].state == .running)
        #expect(try storage.claimJobs(isBatch: false, limit: 5, now: 1_000).isEmpty)
        let sequence = claimed[0].sequence
        #expect(try storage.finish(job: sequence, success, storing: nil, now: 2_000))
        // The second result of a job does not exist.
        #expect(try !storage.finish(job: sequence, failure, storing: nil, now: 3_000))
        let done = try storage.job("a", of: owner, withBody: false)
        #expect(done.state == .succeeded && done.result == success.result)
        #expect(done.finishedMilliseconds == 2_000)
    }

    @Test func claimsInOrderOfAcceptanceWhatIsDue() throws {
        let storage = try Folder().open()
        for id in ["c", "a", "b"] { try storage.accept(job(id), now: 10) }
        let first = try storage.claimJobs(isBatch: false, limit: 2, now: 10)
        #expect(first.map(\.id) == ["c", "a"])
        try storage.release(job: first[0].sequence, due: 500)
        #expect(try storage.claimJobs(isBatch: false, limit: 9, now: 10).map(\.id) == ["b"])
        #expect(try storage.claimJobs(isBatch: false, limit: 9, now: 499).isEmpty)
        let again = try storage.claimJobs(isBatch: false, limit: 9, now: 500)
        #expect(again.map(\.id) == ["c"] && again[0].attempts == 2)
    }

    @Test func existsForItsOwnerOnly() throws {
        let storage = try Folder().open()
        try storage.accept(job("a"), now: 1)
        #expect(throws: StorageError.notFound) { try storage.job("a", of: other, withBody: false) }
        #expect(throws: StorageError.notFound) {
            try storage.cancel(job: "a", .deferred, of: other, now: 1)
        }
        #expect(throws: StorageError.notFound) { try storage.deleteJob("a", .deferred, of: other) }
        #expect(try storage.cancel(job: "a", .deferred, of: owner, now: 1))
        #expect(try !storage.cancel(job: "a", .deferred, of: owner, now: 1))
    }

    @Test func existsForEveryKeyOfItsApplication() throws {
        let storage = try Folder().open()
        try storage.accept(job("a"), now: 10)
        let another = Owner(application: "alice", keyID: "key-2")
        #expect(try storage.job("a", of: another, withBody: false).owner.keyID == "key-1")
        #expect(throws: StorageError.notFound) {
            try storage.job("a", of: Owner(tenant: "t", application: "alice"), withBody: false)
        }
    }

    @Test func jobsOfAnotherKindAreNotThere() throws {
        let storage = try Folder().open()
        try storage.accept(job("a"), now: 1)
        #expect(throws: StorageError.notFound) {
            try storage.cancel(job: "a", .background, of: owner, now: 1)
        }
        #expect(throws: StorageError.notFound) {
            try storage.deleteJob("a", .background, of: owner)
        }
        #expect(try storage.job("a", of: owner, withBody: false).state == .pending)
    }

    @Test func aCancelledJobGetsNoResult() throws {
        let storage = try Folder().open()
        try storage.accept(job("a"), now: 1)
        let sequence = try storage.claimJobs(isBatch: false, limit: 1, now: 1)[0].sequence
        #expect(try storage.cancel(job: "a", .deferred, of: owner, now: 2))
        #expect(try !storage.finish(job: sequence, success, storing: nil, now: 3))
        #expect(try storage.job("a", of: owner, withBody: false).state == .cancelled)
    }

    @Test func refusesBeyondTheOwnersLimits() throws {
        var limits = StorageLimits()
        limits.jobs = 2
        let storage = try Folder().open("state.sqlite", limits)
        try storage.accept(job("a"), now: 1)
        try storage.accept(job("b"), now: 1)
        #expect(throws: StorageError.limitReached(.jobs, 2)) {
            try storage.accept(job("c"), now: 1)
        }
        try storage.accept(job("c", other), now: 1)
        try storage.deleteJob("a", .deferred, of: owner)
        try storage.accept(job("d"), now: 1)
    }

    @Test func refusesBeyondTheOwnersBytes() throws {
        var limits = StorageLimits()
        limits.jobBytes = 5
        let storage = try Folder().open("state.sqlite", limits)
        try storage.accept(job("abcd"), now: 1)
        #expect(throws: StorageError.limitReached(.jobBytes, 5)) {
            try storage.accept(job("ef"), now: 1)
        }
        try storage.accept(job("e"), now: 1)
    }

    @Test func isForgottenWhenItsTimeIsOver() throws {
        var limits = StorageLimits()
        limits.deferredSeconds = 10
        let storage = try Folder().open("state.sqlite", limits)
        for id in ["waits", "runs", "done"] { try storage.accept(job(id), now: 0) }
        let claimed = try storage.claimJobs(isBatch: false, limit: 3, now: 0)
        try storage.release(job: claimed[0].sequence, due: 99_999)
        #expect(try storage.finish(job: claimed[2].sequence, success, storing: nil, now: 5_000))
        #expect(try storage.purge(expired: failure, now: 9_999, limit: 100) == 0)
        #expect(try storage.purge(expired: failure, now: 10_000, limit: 100) == 1)
        #expect(throws: StorageError.notFound) {
            try storage.job("waits", of: owner, withBody: false)
        }
        #expect(try storage.job("runs", of: owner, withBody: false).state == .running)
        #expect(try storage.purge(expired: failure, now: 14_999, limit: 100) == 0)
        #expect(try storage.purge(expired: failure, now: 15_000, limit: 100) == 1)
    }
}

@Suite struct DurabilityTests {
    @Test func whatWasAcceptedSurvivesTheEndOfTheProcess() throws {
        let folder = try Folder()
        let storage = try folder.open()
        for index in 0..<50 { try storage.accept(job("job-\(index)"), now: Int64(index)) }
        let claimed = try storage.claimJobs(isBatch: false, limit: 20, now: 100)
        for job in claimed.prefix(10) {
            #expect(try storage.finish(job: job.sequence, success, storing: nil, now: 200))
        }
        // Nothing was closed or checkpointed.
        try folder.crash(to: "after.sqlite")
        let after = try folder.open("after.sqlite")
        #expect(try after.recoverJobs(interrupted: failure, now: 300) == 10)
        let again = try after.claimJobs(isBatch: false, limit: 100, now: 300)
        #expect(again.count == 40)
        #expect(again.prefix(10).allSatisfy { $0.attempts == 2 })
        #expect(again.dropFirst(10).allSatisfy { $0.attempts == 1 })
        #expect(try after.job("job-0", of: owner, withBody: false).result == success.result)
    }

    @Test func aJobThatEndsTheProcessAgainAndAgainFails() throws {
        var limits = StorageLimits()
        limits.interruptions = 3
        let storage = try Folder().open("state.sqlite", limits)
        try storage.accept(job("poison"), now: 1)
        for _ in 0..<2 {
            #expect(try storage.claimJobs(isBatch: false, limit: 1, now: 1).count == 1)
            #expect(try storage.recoverJobs(interrupted: failure, now: 1) == 1)
        }
        #expect(try storage.claimJobs(isBatch: false, limit: 1, now: 1).count == 1)
        #expect(try storage.recoverJobs(interrupted: failure, now: 1) == 0)
        let job = try storage.job("poison", of: owner, withBody: false)
        #expect(job.state == .failed && job.result == failure.result)
    }

    @Test func opensItsOwnFileAgain() throws {
        let folder = try Folder()
        let first = try folder.open()
        try first.accept(job("a"), now: 1)
        try first.close()
        let attributes = try FileManager.default.attributesOfItem(atPath: folder.path())
        // The log's pages are in the file.
        #expect((attributes[.size] as? Int ?? 0) > 4_096)
        let second = try folder.open()
        #expect(try second.job("a", of: owner, withBody: true).id == "a")
    }

    @Test func refusesAFileThatIsNoDatabase() throws {
        let folder = try Folder()
        try Data("no database, but long enough to be looked at".utf8)
            .write(to: URL(fileURLWithPath: folder.path()))
        #expect(throws: StorageError.self) { try folder.open() }
    }

    @Test func onlyItsOwnerMayReadTheFile() throws {
        let folder = try Folder()
        let storage = try folder.open()
        try storage.accept(job("a"), now: 1)
        for suffix in ["", "-wal"] {
            let attributes = try FileManager.default.attributesOfItem(
                atPath: folder.path() + suffix)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
        }
    }

    @Test func oneProcessRunsJobs() throws {
        let folder = try Folder()
        var first = try RunnerLock(path: folder.path("lock"))
        #expect(first != nil)
        #expect(try RunnerLock(path: folder.path("lock")) == nil)
        first = nil
        #expect(try RunnerLock(path: folder.path("lock")) != nil)
    }

    @Test func threadsAcceptAndClaimBesideEachOther() async throws {
        let storage = try Folder().open()
        let claimed = try await withThrowingTaskGroup(of: [String].self) { group in
            for writer in 0..<4 {
                group.addTask {
                    for index in 0..<50 { try storage.accept(job("\(writer)-\(index)"), now: 1) }
                    return []
                }
                group.addTask {
                    var taken: [String] = []
                    for _ in 0..<40 {
                        taken += try storage.claimJobs(isBatch: false, limit: 7, now: 1).map(\.id)
                    }
                    return taken
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        let rest = try storage.claimJobs(isBatch: false, limit: 1_000, now: 1).map(\.id)
        #expect(claimed.count + rest.count == 200)
        #expect(Set(claimed + rest).count == 200)
    }
}
