import InferenceTypes
import Testing

@testable import Scheduling

/// No tenant's prompt is another's prefix.
@Suite struct TenantCacheTests {
    @Test func aMatchIsOfTheSameTenant() throws {
        var cache = SequenceCache(sequences: 4, cells: 200)
        let tokens = prompt(1, 40)
        for (tenant, length) in [("a", 40), ("b", 12)] {
            let taken = cache.takeFree()
            let sequence = try #require(taken)
            cache.assign(sequence, to: tenant)
            cache.append(sequence, tokens[..<length])
        }
        #expect(cache.longestPrefix(of: tokens, limit: 40, tenant: "a").length == 40)
        let other = cache.longestPrefix(of: tokens, limit: 40, tenant: "b")
        #expect(other.length == 12 && cache.donor(of: other) == 1)
        #expect(cache.longestPrefix(of: tokens, limit: 40).length == 0)
        // What another tenant holds too is no reason to drop it.
        #expect(!cache.isRedundant(1))
        // The sequence is emptied and goes to somebody else.
        cache.truncate(1, to: 0)
        cache.assign(1, to: "c")
        cache.append(1, tokens[..<5])
        #expect(cache.longestPrefix(of: tokens, limit: 40, tenant: "b").length == 0)
        #expect(cache.longestPrefix(of: tokens, limit: 40, tenant: "c").length == 5)
        cache.checkInvariants()
    }

    @Test func aRunningPromptLeadsItsOwnTenantOnly() throws {
        var harness = try Harness()
        let tenants = ["a", "b", "a", "b", ""]
        for tenant in tenants {
            try harness.submit(prompt(1, 300), maxTokens: 4, tenant: tenant)
        }
        harness.run()
        // One prefill for each tenant, and each follower's last token.
        #expect(harness.scheduler.load.prefilledTokens == 3 * 300 + 2)
    }

    @Test func cachedTokensTellNothingOfOtherTenants() throws {
        var harness = try Harness()
        let first = try harness.submit(prompt(1, 100), maxTokens: 2, tenant: "a")
        harness.run()
        let other = try harness.submit(prompt(1, 100), maxTokens: 2, tenant: "b")
        harness.run()
        let same = try harness.submit(prompt(1, 100), maxTokens: 2, tenant: "a")
        harness.run()
        #expect(harness.usages[first]?.cachedTokens == 0)
        #expect(harness.usages[other]?.cachedTokens == 0)
        #expect(harness.usages[same]?.cachedTokens == 99)
        harness.scheduler.checkInvariants()
    }
}
