import Foundation
import Testing

@testable import Storage

private func batch(_ id: String, expires: Int64 = 1_000) -> Batch {
    Batch(
        id: id, owner: owner, name: "batch \(id)", createdMilliseconds: 0,
        expiresMilliseconds: expires)
}

private func requests(_ names: String...) -> [NewBatchRequest] {
    names.map {
        NewBatchRequest(
            id: "job-\($0)-\(UUID().uuidString)", name: $0, face: "chat_completions",
            body: Array($0.utf8), model: "m")
    }
}

@Suite struct BatchStorageTests {
    @Test func countsWhereItsRequestsAre() throws {
        let storage = try Folder().open()
        try storage.create(batch("b"), requests: requests("one", "two"))
        try storage.add(requests("three"), to: "b", of: owner, now: 5)
        #expect(try storage.batch("b", of: owner).counts.pending == 3)
        // Not for who runs what clients wait for.
        #expect(try storage.claimJobs(isBatch: false, limit: 9, now: 9).isEmpty)
        let claimed = try storage.claimJobs(isBatch: true, limit: 9, now: 9)
        #expect(claimed.map(\.name) == ["one", "two", "three"])
        #expect(try storage.batch("b", of: owner).counts.pending == 3)
        _ = try storage.finish(job: claimed[0].sequence, success, storing: nil, now: 10)
        _ = try storage.finish(job: claimed[1].sequence, failure, storing: nil, now: 10)
        try storage.cancelBatch("b", of: owner, now: 11)
        let counts = try storage.batch("b", of: owner).counts
        #expect(counts.succeeded == 1 && counts.failed == 1 && counts.cancelled == 1)
        #expect(counts.total == 3 && counts.pending == 0)
        #expect(throws: StorageError.closed) {
            try storage.add(requests("four"), to: "b", of: owner, now: 12)
        }
    }

    @Test func namesAreUniqueWithinABatch() throws {
        let storage = try Folder().open()
        try storage.create(batch("b"), requests: requests("one"))
        try storage.create(batch("c"), requests: requests("one"))
        #expect(throws: StorageError.duplicate("one")) {
            try storage.add(requests("two", "one"), to: "b", of: owner, now: 1)
        }
        // All or nothing.
        #expect(try storage.batch("b", of: owner).counts.total == 1)
    }

    @Test func pagesThroughRequestsAndBatches() throws {
        let storage = try Folder().open()
        for id in ["a", "b", "c"] { try storage.create(batch(id), requests: []) }
        let first = try storage.batches(of: owner, before: nil, limit: 2)
        #expect(first.items.map(\.id) == ["c", "b"])
        let second = try storage.batches(of: owner, before: first.next, limit: 2)
        #expect(second.items.map(\.id) == ["a"] && second.next == nil)
        #expect(try storage.batches(of: other, before: nil, limit: 9).items.isEmpty)

        try storage.add(requests("1", "2", "3"), to: "a", of: owner, now: 1)
        var names: [String?] = []
        var next: Int64?
        repeat {
            let page = try storage.requests(
                ofBatch: "a", of: owner, isFinal: false, after: next, limit: 1)
            names += page.items.map(\.name)
            next = page.next
        } while next != nil
        #expect(names == ["1", "2", "3"])
        #expect(
            try storage.requests(ofBatch: "a", of: owner, isFinal: true, after: nil, limit: 9)
                .items.isEmpty)
    }

    @Test func whatHasNotRunInTimeFails() throws {
        let storage = try Folder().open()
        try storage.create(batch("b", expires: 1_000), requests: requests("one", "two"))
        let claimed = try storage.claimJobs(isBatch: true, limit: 1, now: 1)
        _ = try storage.finish(job: claimed[0].sequence, success, storing: nil, now: 2)
        #expect(try storage.purge(expired: failure, now: 999, limit: 10) == 0)
        #expect(try storage.purge(expired: failure, now: 1_000, limit: 10) == 1)
        #expect(try storage.purge(expired: failure, now: 1_001, limit: 10) == 0)
        let late = try storage.request(named: "two", ofBatch: "b", of: owner)
        #expect(late.state == .failed && late.result == failure.result)
        #expect(try storage.batch("b", of: owner).counts.succeeded == 1)
        #expect(throws: StorageError.closed) {
            try storage.add(requests("three"), to: "b", of: owner, now: 1_001)
        }
        let forgotten = Int64(StorageLimits().batchRetentionSeconds) * 1_000
        #expect(try storage.purge(expired: failure, now: forgotten, limit: 10) == 1)
        #expect(throws: StorageError.notFound) { try storage.batch("b", of: owner) }
        #expect(throws: StorageError.notFound) {
            try storage.request(named: "one", ofBatch: "b", of: owner)
        }
    }

    @Test func refusesBeyondTheOwnersLimits() throws {
        var limits = StorageLimits()
        limits.batches = 1
        limits.batchRequests = 2
        limits.batchBytes = 8
        let storage = try Folder().open("state.sqlite", limits)
        #expect(throws: StorageError.limitReached(.batchRequests, 2)) {
            try storage.create(batch("b"), requests: requests("1", "2", "3"))
        }
        try storage.create(batch("b"), requests: requests("1"))
        #expect(throws: StorageError.limitReached(.batches, 1)) {
            try storage.create(batch("c"), requests: [])
        }
        #expect(throws: StorageError.limitReached(.batchBytes, 8)) {
            try storage.add(requests("12345678"), to: "b", of: owner, now: 1)
        }
    }
}

@Suite struct FileStorageTests {
    private func begin(_ id: String, _ storage: SQLiteStorage, expires: Int64? = nil) throws {
        try storage.beginFile(
            StoredFile(
                id: id, owner: owner, name: "\(id).jsonl", purpose: "batch",
                createdMilliseconds: 0, expiresMilliseconds: expires))
    }

    @Test func isSeenWhenItIsComplete() throws {
        let storage = try Folder().open()
        try begin("f", storage)
        try storage.append([1, 2, 3], toFile: "f")
        #expect(throws: StorageError.notFound) { try storage.file("f", of: owner) }
        try storage.append([4], toFile: "f")
        #expect(
            try storage.finishFile("f", name: "f.jsonl", purpose: "batch", expires: nil).bytes == 4)
        #expect(try storage.file("f", of: owner).name == "f.jsonl")
        #expect(throws: StorageError.notFound) { try storage.file("f", of: other) }
        #expect(throws: StorageError.notFound) { try storage.append([5], toFile: "f") }
        #expect(try storage.content(ofFile: "f", part: 0) == [1, 2, 3])
        #expect(try storage.content(ofFile: "f", part: 1) == [4])
        #expect(try storage.content(ofFile: "f", part: 2) == nil)
        #expect(try storage.files(of: owner, before: nil, limit: 9).items.map(\.id) == ["f"])
        try storage.deleteFile("f", of: owner)
        #expect(try storage.content(ofFile: "f", part: 0) == nil)
    }

    @Test func refusesBeyondTheOwnersLimits() throws {
        var limits = StorageLimits()
        limits.files = 2
        limits.fileBytes = 4
        limits.allFileBytes = 6
        let storage = try Folder().open("state.sqlite", limits)
        try begin("a", storage)
        #expect(throws: StorageError.limitReached(.fileBytes, 4)) {
            try storage.append([1, 2, 3, 4, 5], toFile: "a")
        }
        // The upload is gone, and what it counted for.
        for id in ["a", "b"] { try begin(id, storage) }
        #expect(throws: StorageError.limitReached(.files, 2)) { try begin("c", storage) }
        try storage.append([1, 2, 3, 4], toFile: "a")
        #expect(throws: StorageError.limitReached(.allFileBytes, 6)) {
            try storage.append([1, 2, 3], toFile: "b")
        }
    }

    @Test func forgetsWhatExpiredAndWhatWasNeverFinished() throws {
        let storage = try Folder().open()
        try begin("expires", storage, expires: 5_000)
        _ = try storage.finishFile("expires", name: "a", purpose: "b", expires: 5_000)
        try begin("begun", storage)
        try begin("stays", storage)
        _ = try storage.finishFile("stays", name: "a", purpose: "b", expires: nil)
        #expect(try storage.purge(expired: failure, now: 5_000, limit: 10) == 1)
        #expect(try storage.purge(expired: failure, now: 3_600_000, limit: 10) == 1)
        #expect(try storage.files(of: owner, before: nil, limit: 9).items.map(\.id) == ["stays"])
    }
}

@Suite struct ResponseStorageTests {
    private func response(_ id: String, created: Int64 = 0) -> StoredResponse {
        StoredResponse(
            id: id, owner: owner, tier: "default", face: "responses", body: [1], previousID: "p",
            completion: [2, 3], createdMilliseconds: created)
    }

    @Test func isFetchedAndDeletedByItsOwner() throws {
        let storage = try Folder().open()
        try storage.store(response("r"))
        #expect(try storage.response("r", of: owner) == response("r"))
        #expect(throws: StorageError.notFound) { try storage.response("r", of: other) }
        #expect(throws: StorageError.notFound) { try storage.deleteResponse("r", of: other) }
        try storage.deleteResponse("r", of: owner)
        #expect(throws: StorageError.notFound) { try storage.response("r", of: owner) }
    }

    @Test func theOldestGoesBeyondTheLimit() throws {
        var limits = StorageLimits()
        limits.responses = 2
        let storage = try Folder().open("state.sqlite", limits)
        for id in ["a", "b", "c"] { try storage.store(response(id)) }
        #expect(throws: StorageError.notFound) { try storage.response("a", of: owner) }
        #expect(try storage.response("c", of: owner).id == "c")
    }

    @Test func isForgottenWhenItsTimeIsOver() throws {
        let storage = try Folder().open()
        try storage.store(response("r", created: 7))
        let end = 7 + Int64(StorageLimits().responseSeconds) * 1_000
        #expect(try storage.purge(expired: failure, now: end - 1, limit: 10) == 0)
        #expect(try storage.purge(expired: failure, now: end, limit: 10) == 1)
    }

    @Test func comesWithItsJobsResultOrNotAtAll() throws {
        let storage = try Folder().open()
        try storage.accept(job("j"), now: 1)
        let sequence = try storage.claimJobs(isBatch: false, limit: 1, now: 1)[0].sequence
        _ = try storage.cancel(job: "j", .deferred, of: owner, now: 1)
        #expect(
            try !storage.finish(job: sequence, success, storing: response("r"), now: 2))
        #expect(throws: StorageError.notFound) { try storage.response("r", of: owner) }
    }
}
