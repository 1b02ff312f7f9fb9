import HTTPTransport
import InferenceAPI
import InferenceTypes
import Storage
import Testing

@testable import Gateway

@Suite struct TenantDirectoryTests {
    private func directory(_ text: String, _ numbers: inout IdentityNumbers) throws
        -> TenantDirectory
    {
        TenantDirectory(keys: try APIKeys(text: text, path: "keys"), numbers: &numbers)
    }

    private func fields(_ key: String) -> HTTPFields { ["authorization": "Bearer \(key)"] }

    @Test func withoutKeysEverybodyIsTheBuiltInTenant() throws {
        let directory = TenantDirectory()
        for fields in [[:], fields("whatever-it-is")] as [HTTPFields] {
            let principal = try directory.principal(fields)
            #expect(principal.tenant == .builtIn && principal.key == .none)
            #expect(principal.owner == Owner() && principal.keyName == nil)
            #expect(principal.tierCeiling == .priority && principal.billedTenant.isEmpty)
        }
    }

    @Test func keysOfTheFileAreApplicationsOfTheBuiltInTenant() throws {
        var numbers = IdentityNumbers()
        let directory = try directory("secret-key-1 alice\nsecret-key-2\n", &numbers)
        let alice = try directory.principal(fields("secret-key-1"))
        let other = try directory.principal(["x-api-key": "secret-key-2"])
        #expect(alice.tenant == .builtIn && alice.owner == Owner(application: "alice"))
        #expect(other.application == "key-2" && other.key != alice.key && alice.key != .none)
        #expect(alice.keyPrefix == nil && !"\(alice.keyID)".contains("secret"))
    }

    @Test func refusesWhoHasNoKeyOrAnother() throws {
        var numbers = IdentityNumbers()
        let directory = try directory("secret-key-1 alice\n", &numbers)
        func kind(_ fields: HTTPFields) -> APIErrorKind? {
            do throws(APIError) {
                _ = try directory.principal(fields)
                return nil
            } catch {
                return error.kind
            }
        }
        #expect(kind([:]) == .unauthenticated)
        #expect(kind(["authorization": "Basic secret-key-1"]) == .unauthenticated)
        for wrong in ["secret-key-", "secret-key-11", "Secret-key-1"] {
            #expect(kind(fields(wrong)) == .invalidKey)
        }
    }

    @Test func aKeyKeepsItsNumberWhenTheFileChanges() throws {
        var numbers = IdentityNumbers()
        let before = try directory("secret-key-1 alice\n", &numbers)
        let after = try directory("secret-key-0 bob\nsecret-key-1 renamed\n", &numbers)
        let (old, new) = (
            try before.principal(fields("secret-key-1")),
            try after.principal(fields("secret-key-1"))
        )
        #expect(old.key == new.key && old.keyID == new.keyID && new.keyName == "renamed")
        #expect(try after.principal(fields("secret-key-0")).key != new.key)
    }

    @Test func theCeilingClampsWhatIsAskedFor() {
        func granted(_ asked: ServiceTier?, below ceiling: ServiceTier) -> ServiceTier {
            Principal(tenantID: "t", tierCeiling: ceiling).granted(asked)
        }
        #expect(granted(nil, below: .priority) == .standard)
        #expect(granted(.priority, below: .priority) == .priority)
        #expect(granted(.priority, below: .standard) == .standard)
        #expect(granted(nil, below: .batch) == .batch)
        #expect(granted(.batch, below: .priority) == .batch)
    }

    @Test func workAcceptedBeforeIsDoneForItsOwner() throws {
        var numbers = IdentityNumbers()
        let directory = try directory("secret-key-1 alice\n", &numbers)
        let alice = try directory.principal(fields("secret-key-1"))
        #expect(try directory.principal(of: alice.owner) === alice)
        let gone = try directory.principal(of: Owner(application: "carol", keyID: "gone"))
        #expect(gone.owner == Owner(application: "carol") && gone.keyName == "carol")
    }
}

/// Keys of tenants.
@Suite struct TenantKeysTests {
    private let text: APIKeyText
    private let old: APIKeyText

    init() {
        var generator = SystemRandomNumberGenerator()
        text = APIKeyText(&generator)
        old = APIKeyText(id: text.id, &generator)
    }

    private func directory(
        _ change: (inout TenantRecord, inout KeyRecord) -> Void = { _, _ in }
    ) -> TenantDirectory {
        var tenant = TenantRecord(id: "acme", name: "Acme", now: 0)
        var key = KeyRecord(
            id: text.id, tenant: "acme", application: "web", name: "n",
            digest: KeyDigest(of: text.text).bytes, now: 0)
        change(&tenant, &key)
        var tenancy = Tenancy()
        tenancy.tenants = [tenant]
        tenancy.keys = [key]
        var numbers = IdentityNumbers()
        return TenantDirectory(keys: nil, tenancy: tenancy, numbers: &numbers)
    }

    private func kind(_ directory: TenantDirectory, _ key: APIKeyText, now: Int64) -> APIErrorKind?
    {
        do throws(APIError) {
            _ = try directory.principal(["authorization": "Bearer \(key.text)"], now: now)
            return nil
        } catch {
            return error.kind
        }
    }

    @Test func keysHaveTheirShape() {
        #expect(text.text.hasPrefix("sk-sy-\(text.id)-") && text.text.utf8.count == 87)
        #expect(old.id == text.id && old.text != text.text)
    }

    @Test func aPrincipalIsWhatTenantAndKeyAllowTogether() throws {
        let directory = directory { tenant, key in
            tenant.terms.tier = "default"
            tenant.terms.models = ["grok-*"]
            tenant.terms.weight = 3
            tenant.terms.tokenBudget = 7
            tenant.terms.pools = ["vault"]
            key.terms.tier = "priority"
            key.terms.models = ["*-mini"]
            var limits = Terms.Limits()
            limits.requestsPerMinute = 5
            key.terms.limits = limits
        }
        let principal = try directory.principal(["x-api-key": text.text])
        #expect(principal.owner == Owner(tenant: "acme", application: "web"))
        #expect(principal.tenant != .builtIn && principal.billedTenant == "acme")
        #expect(principal.tierCeiling == .standard && principal.share.weight == 3)
        #expect(principal.keyLimits.requestsPerMinute == 5 && principal.tenantLimits == .none)
        #expect(principal.tenantBudget.tokens == 7 && principal.keyBudget == .none)
        #expect(principal.allows(model: "grok-4-mini") && !principal.allows(model: "grok-4"))
        #expect(!principal.allows(model: "o-mini") && principal.access.ownPools == ["vault"])
        #expect(principal.keyPrefix == "sk-sy-\(text.id)")
    }

    @Test func whoIsBlockedOrTooLateIsRefused() {
        #expect(kind(directory(), text, now: 1_000) == nil)
        #expect(
            kind(directory { tenant, _ in tenant.isBlocked = true }, text, now: 1_000)
                == .permissionDenied)
        #expect(
            kind(directory { _, key in key.isBlocked = true }, text, now: 1_000)
                == .permissionDenied)
        let late = directory { tenant, _ in tenant.terms.expires = 5 }
        #expect(kind(late, text, now: 4_999) == nil)
        #expect(kind(late, text, now: 5_000) == .permissionDenied)
        let expired = directory { _, key in key.terms.expires = 5 }
        #expect(kind(expired, text, now: 5_000) == .permissionDenied)
    }

    @Test func anOldSecretIsGoodUntilItsGraceIsOver() {
        let directory = directory { _, key in
            key.oldDigest = KeyDigest(of: old.text).bytes
            key.oldUntilMilliseconds = 5_000
        }
        #expect(kind(directory, old, now: 4_999) == nil)
        #expect(kind(directory, old, now: 5_000) == .invalidKey)
        #expect(kind(directory, text, now: 5_000) == nil)
    }

    @Test func workOfADeletedKeyIsNotDone() {
        let directory = directory()
        #expect(throws: APIError.self) {
            try directory.principal(of: Owner(tenant: "acme", application: "web", keyID: "gone"))
        }
    }

    @Test func tenantsCloseTheDoorForWhoHasNoKey() {
        #expect(directory().asksForKeys && !TenantDirectory().asksForKeys)
    }
}
