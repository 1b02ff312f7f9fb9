import Testing

@testable import Storage

@Suite struct TenantStorageTests {
    private func tenant(_ id: String, retention: Int64? = nil) -> TenantRecord {
        var terms = Terms()
        terms.retentionSeconds = retention
        terms.models = ["a*"]
        terms.modelLimits = ["some_model": Terms.Limits()]
        return TenantRecord(id: id, name: id.uppercased(), terms: terms, now: 1_000)
    }

    private func key(_ id: String, of tenant: String) -> KeyRecord {
        KeyRecord(
            id: id, tenant: tenant, application: "web", name: "n", digest: Array(id.utf8),
            now: 1_000)
    }

    @Test func keepsTenantsAndKeys() throws {
        let folder = try Folder()
        let storage = try folder.open()
        var acme = tenant("acme")
        try storage.create(acme)
        var made = key("k1", of: "acme")
        try storage.create(made)
        acme.isBlocked = true
        acme.terms.weight = 2.5
        acme.license = "a.b.c"
        acme.updatedMilliseconds = 2_000
        try storage.update(acme)
        made.oldDigest = made.digest
        made.oldUntilMilliseconds = 9_000
        made.digest = Array("other".utf8)
        made.terms.expires = 5
        try storage.update(made)
        try storage.close()
        let again = try folder.open()
        #expect(try again.tenant("acme") == acme)
        #expect(try again.key("k1") == made)
        #expect(try again.applications(of: "acme") == ["web"])
        let all = try again.tenancy()
        #expect(all.tenants == [acme] && all.keys == [made])
    }

    @Test func refusesWhatIsTakenMissingOrTooMuch() throws {
        var limits = StorageLimits()
        (limits.tenants, limits.keys) = (1, 1)
        let storage = try Folder().open("state.sqlite", limits)
        try storage.create(tenant("a"))
        #expect(throws: StorageError.limitReached(.tenants, 1)) {
            try storage.create(tenant("b"))
        }
        #expect(throws: StorageError.notFound) { try storage.create(key("k", of: "b")) }
        try storage.create(key("k", of: "a"))
        #expect(throws: StorageError.limitReached(.keys, 1)) {
            try storage.create(key("l", of: "a"))
        }
        for operation in [
            { try storage.update(tenant("b")) }, { try storage.deleteTenant("b") },
            { try storage.update(key("l", of: "a")) }, { try storage.deleteKey("l") },
            { _ = try storage.tenant("b") }, { _ = try storage.key("l") },
        ] as [() throws -> Void] {
            #expect(throws: StorageError.notFound) { try operation() }
        }
        let wide = try Folder().open()
        try wide.create(tenant("a"))
        #expect(throws: StorageError.duplicate("a")) { try wide.create(tenant("a")) }
    }

    @Test func aDeletedTenantLeavesNothing() throws {
        let storage = try Folder().open()
        try storage.create(tenant("a"))
        try storage.create(key("k", of: "a"))
        let mine = Owner(tenant: "a", application: "web", keyID: "k")
        try storage.accept(job("mine", mine), now: 10)
        try storage.accept(job("other"), now: 10)
        try storage.deleteTenant("a")
        #expect(try storage.tenancy() == Tenancy())
        #expect(throws: StorageError.notFound) {
            try storage.job("mine", of: mine, withBody: false)
        }
        #expect(try storage.job("other", of: owner, withBody: false).id == "other")
    }

    @Test func nothingIsKeptLongerThanTheRetention() throws {
        let storage = try Folder().open()
        try storage.create(tenant("a", retention: 10))
        let mine = Owner(tenant: "a", application: "web")
        func response(_ id: String, _ owner: Owner) -> StoredResponse {
            StoredResponse(
                id: id, owner: owner, tier: "default", face: "f", body: [], previousID: nil,
                completion: [], createdMilliseconds: 1_000)
        }
        try storage.store(response("mine", mine))
        try storage.store(response("other", owner))
        try storage.accept(job("job", mine), now: 1_000)
        _ = try storage.purge(expired: failure, now: 10_999, limit: 10)
        #expect(try storage.response("mine", of: mine).id == "mine")
        _ = try storage.purge(expired: failure, now: 11_000, limit: 10)
        #expect(throws: StorageError.notFound) { try storage.response("mine", of: mine) }
        #expect(throws: StorageError.notFound) {
            try storage.job("job", of: mine, withBody: false)
        }
        #expect(try storage.response("other", of: owner).id == "other")
    }

    @Test func aShorterRetentionHoldsForWhatIsThere() throws {
        let storage = try Folder().open()
        var changed = tenant("a")
        try storage.create(changed)
        let mine = Owner(tenant: "a", application: "web")
        try storage.accept(job("job", mine), now: 1_000)
        let running = try storage.claimJobs(isBatch: false, limit: 1, now: 1_000)
        changed.terms.retentionSeconds = 5
        try storage.update(changed)
        #expect(try storage.finish(job: running[0].sequence, success, storing: nil, now: 2_000))
        _ = try storage.purge(expired: failure, now: 6_999, limit: 10)
        #expect(try storage.job("job", of: mine, withBody: false).state == .succeeded)
        _ = try storage.purge(expired: failure, now: 7_000, limit: 10)
        #expect(throws: StorageError.notFound) {
            try storage.job("job", of: mine, withBody: false)
        }
    }
}
