import Foundation
import GRDB
import Testing

@testable import Storage

private func entry(
    _ id: String, _ positions: [Int], prompt: Int = 100, cached: Int = 0, tenant: String = "acme",
    key: String = "k", price: UsagePrice? = nil
) -> UsageEntry {
    var entry = UsageEntry(
        usageID: id, requestID: "r-\(id)", timeMilliseconds: 86_400_000, tenant: tenant,
        keyID: key, model: "m", tier: "default")
    entry.positions = positions
    entry.promptTokens = prompt
    entry.cachedTokens = cached
    entry.finishReason = "length"
    entry.price = price
    return entry
}

@Suite struct UsageLedgerTests {
    @Test func aRequestIsSettledOnce() throws {
        let storage = try Folder().open()
        let first = try storage.record([entry("a", [5, 9])])
        #expect(first.map(\.kind) == [.settlement])
        #expect(first[0].completionTokens == 14)
        #expect(try storage.record([entry("a", [5, 9])]).isEmpty)
        #expect(try storage.record([entry("a", [4, 2], prompt: 0)]).isEmpty)
        #expect(try storage.usage(UsageQuery())[0].completionTokens == 14)
    }

    @Test func whatIsLearnedLaterIsAnAdjustmentOfDistinctPositions() throws {
        let storage = try Folder().open()
        _ = try storage.record([entry("a", [5, 9])])
        // Run again: the first choice got further, the second one not as far, a third one is new.
        let later = try storage.record([entry("a", [7, 3, 1], prompt: 120)])
        #expect(later.map(\.kind) == [.adjustment])
        #expect(later[0].completionTokens == 3)
        #expect(later[0].entry.promptTokens == 20)
        #expect(later[0].entry.positions == [7, 9, 1])
        let sum = try storage.usage(UsageQuery())[0]
        #expect(sum.completionTokens == 17 && sum.promptTokens == 120 && sum.requests == 1)
    }

    @Test func pricesAreThoseOfTheSettlement() throws {
        let storage = try Folder().open()
        let price = UsagePrice(prompt: 10, cached: 1, completion: 100)
        let first = try storage.record([entry("a", [5], cached: 40, price: price)])
        // 60 · 10 + 40 · 1 + 5 · 100
        #expect(first[0].ticks == 1_140)
        let other = UsagePrice(prompt: 9, cached: 9, completion: 9)
        let later = try storage.record([entry("a", [7], price: other)])
        #expect(later[0].ticks == 200)
        #expect(
            try storage.usageTotals() == [
                UsageTotal(tenant: "acme", keyID: "k", tokens: 107, ticks: 1_340)
            ])
    }

    @Test func sumsAreByWhatIsAskedFor() throws {
        let storage = try Folder().open()
        var late = entry("c", [4], tenant: "b", key: "k2")
        late.timeMilliseconds = 3 * 86_400_000
        _ = try storage.record([
            entry("a", [1]), entry("b", [2], key: "k2"), late, entry("d", [8], tenant: "b"),
        ])
        let tenants = try storage.usage(UsageQuery(by: [.tenant]))
        #expect(tenants.map(\.values) == [["acme"], ["b"]])
        #expect(tenants.map(\.completionTokens) == [3, 12])
        let days = try storage.usage(UsageQuery(by: [.day, .tier]))
        #expect(days.map(\.values) == [["1970-01-02", "default"], ["1970-01-04", "default"]])
        var query = UsageQuery()
        query.tenant = "b"
        query.to = 2 * 86_400_000
        #expect(try storage.usage(query)[0].completionTokens == 8)
        #expect(
            try storage.usageRows(UsageQuery(), after: 1, limit: 2).map(\.entry.usageID)
                == ["b", "c"])
    }

    @Test func goesOnAfterACrash() throws {
        let folder = try Folder()
        let storage = try folder.open()
        _ = try storage.record([entry("a", [5])])
        try folder.crash(to: "copy.sqlite")
        let copy = try folder.open("copy.sqlite")
        #expect(try copy.record([entry("a", [5]), entry("b", [1])]).map(\.sequence) == [2])
        #expect(try copy.verifyUsage().fault == nil)
    }
}

@Suite struct UsageChainTests {
    private func ledger() throws -> SQLiteStorage {
        let storage = try Folder().open()
        for number in 1...6 { _ = try storage.record([entry("u\(number)", [number])]) }
        return storage
    }

    /// Somebody who can write the file.
    private func forge(_ storage: SQLiteStorage, _ sql: String) throws {
        try storage.database.write { database in
            try database.execute(
                sql: "DROP TRIGGER usage_unchanged; DROP TRIGGER usage_kept; \(sql)")
        }
    }

    @Test func anUntouchedLedgerIsProved() throws {
        let found = try ledger().verifyUsage()
        #expect(found.rows == 6 && found.fault == nil)
        #expect(found.head != UsageChain.origin)
    }

    @Test func theDatabaseItselfRefusesChanges() throws {
        let storage = try ledger()
        for sql in ["UPDATE usage SET tenant = 'x'", "DELETE FROM usage"] {
            #expect(throws: (any Error).self) {
                try storage.database.write { try $0.execute(sql: sql) }
            }
        }
    }

    @Test(arguments: [
        "kind", "time", "usage_id", "request_id", "tenant", "application", "key_id", "model",
        "tier", "prompt_tokens", "cached_tokens", "completion_tokens", "reasoning_tokens",
        "undelivered_tokens", "positions", "ticks", "finish_reason", "hash",
    ])
    func aChangedFieldIsFound(column: String) throws {
        let storage = try ledger()
        let number = ["kind", "time"].contains(column) ? "'adjustment'" : "'77'"
        try forge(
            storage,
            "UPDATE usage SET \(column) = \(column == "time" ? "5" : number) WHERE sequence = 3")
        #expect(try storage.verifyUsage().fault == "row 3 is not what was written")
    }

    @Test func aRemovedRowIsFound() throws {
        let storage = try ledger()
        try forge(storage, "DELETE FROM usage WHERE sequence = 4")
        #expect(try storage.verifyUsage().fault == "row 4 is missing")
    }

    @Test func removedRowsAtTheEndAreFound() throws {
        let storage = try ledger()
        try forge(storage, "DELETE FROM usage WHERE sequence > 4")
        #expect(try storage.verifyUsage().fault == "the ledger ended with row 6")
    }

    @Test func anInsertedRowIsFound() throws {
        let storage = try ledger()
        try forge(
            storage,
            """
            UPDATE usage SET sequence = sequence + 100 WHERE sequence > 3;
            UPDATE usage SET sequence = sequence - 99 WHERE sequence > 100;
            INSERT INTO usage SELECT 4, 'settlement', time, 'forged', request_id, tenant,
                application, key_id, model, tier, prompt_tokens, cached_tokens, completion_tokens,
                reasoning_tokens, undelivered_tokens, positions, prompt_price, cached_price,
                completion_price, ticks, finish_reason, hash FROM usage WHERE sequence = 3
            """)
        #expect(try storage.verifyUsage().fault == "row 4 is not what was written")
    }
}
