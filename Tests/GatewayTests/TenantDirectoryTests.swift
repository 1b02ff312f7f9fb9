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
