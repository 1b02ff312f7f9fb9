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
