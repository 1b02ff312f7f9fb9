import Testing

@testable import Gateway

@Suite struct APIKeysTests {
    private let keys = try? APIKeys(
        text: "# ours\nsecret-key-1 first app\n\n  secret-key-2\n", path: "keys")

    @Test func findsKeysByTheirWholeText() throws {
        let keys = try #require(keys)
        #expect(keys.name(of: "secret-key-1") == "first app")
        #expect(keys.name(of: "secret-key-2") == "key-2")
        for wrong in ["", "secret-key", "secret-key-11", "secret-key-3", "first app"] {
            #expect(keys.name(of: wrong) == nil)
        }
    }

    @Test(arguments: [
        ("", APIKeys.LoadError.empty(path: "k")),
        ("# nothing\n", .empty(path: "k")),
        ("short\n", .tooShort(path: "k", line: 1, minimumBytes: 8)),
        ("long-enough\nschlüssel-1\n", .notASCII(path: "k", line: 2)),
    ])
    func refusesFilesThatAreNoKeyFiles(text: String, error: APIKeys.LoadError) {
        #expect(throws: error) { try APIKeys(text: text, path: "k") }
    }

    @Test func refusesMoreKeysThanItsLimit() {
        let text = (0...APIKeys.countLimit).map { "secret-key-\($0)\n" }.joined()
        #expect(throws: APIKeys.LoadError.tooMany(path: "k", limit: APIKeys.countLimit)) {
            try APIKeys(text: text, path: "k")
        }
    }

    @Test func errorsNeverShowAKey() {
        let error = APIKeys.LoadError.tooShort(path: "k", line: 3, minimumBytes: 8)
        #expect(error.description == "--api-key-file: k:3: a key has at least 8 bytes")
    }
}

@Suite struct APIKeyDescriptionTests {
    @Test func describesAKeyWithoutTellingIt() throws {
        let key = "xai-0123456789abcdefghij"
        let keys = try APIKeys(text: "\(key) alice\nshort-key bob\n", path: "k")
        let alice = try #require(keys.description(of: key))
        #expect(alice.name == "alice")
        #expect(alice.redactedKey == "xai-...ghij")
        #expect(alice.created > 0 && alice.created == alice.modified)
        let bob = try #require(keys.description(of: "short-key"))
        #expect(bob.redactedKey == "...")
        #expect(bob.teamID == alice.teamID)
        #expect(Set([alice.apiKeyID, bob.apiKeyID, alice.userID, bob.userID]).count == 4)
        #expect(keys.description(of: "xai-0123456789abcdefghiJ") == nil)
        // The same again after a restart.
        let again = try APIKeys(text: "\(key) renamed\n", path: "k").description(of: key)
        #expect(again?.apiKeyID == alice.apiKeyID)
        // RFC 9562 §5.8: version 8, variant 10.
        #expect(alice.apiKeyID.dropFirst(14).first == "8")
        #expect(alice.apiKeyID.count == 36)
    }
}
