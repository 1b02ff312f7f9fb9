import InferenceAPI
import NIOPosix
import Testing

@testable import Gateway

struct CatalogueTests {
    private func pool(_ name: String) throws -> Pool {
        let settings = ModelSettings(name: name, path: nil)
        return Pool(
            name: "pool of \(name)", number: 0, kind: .openAI,
            model: try ServedModel(settings, created: 7),
            dispatcher: DispatcherHandle(loop: MultiThreadedEventLoopGroup.singleton.next()),
            credentials: WorkerLinkCredentials(.none), upstream: nil)
    }

    private func catalogue(_ shares: [(String, Int)]) throws -> Catalogue {
        var first = ModelSettings(name: "v1", path: nil)
        first.aliases = ["old"]
        return Catalogue(
            models: [first, ModelSettings(name: "v2", path: nil)],
            splits: [
                ModelSplit(
                    name: "both",
                    shares: shares.map { ModelSplit.Share(model: $0.0, weight: $0.1) })
            ],
            pools: ["v1": try pool("v1"), "v2": try pool("v2")])
    }

    private func names(_ catalogue: Catalogue, _ count: UInt64 = 10_000) throws -> [String] {
        try (0..<count).map { conversation in
            try catalogue.pool(for: "both") { conversation }.model.name
        }
    }

    @Test func namesAndAliasesAreTheirModels() throws {
        let catalogue = try catalogue([("v1", 1)])
        for (name, model) in [("v1", "v1"), ("old", "v1"), ("v2", "v2"), ("both", "v1")] {
            #expect(try catalogue.pool(for: name) { 0 }.model.name == model)
        }
        let error = #expect(throws: APIError.self) { try catalogue.pool(for: "v3") { 0 } }
        #expect(error?.kind == .modelNotFound)
        #expect(catalogue.list.models.map(\.id) == ["v1", "v2", "both"])
    }

    @Test func sharesAreAsTheirWeights() throws {
        let found = try names(try catalogue([("v1", 90), ("v2", 10)]))
        let share = Double(found.count { $0 == "v2" }) / Double(found.count)
        #expect((0.09...0.11).contains(share))
    }

    /// The roll-out's promise: raising a share moves nobody who has arrived there.
    @Test func aConversationStaysAndMovesAtMostOnceWhileAShareGrows() throws {
        let before = try names(try catalogue([("v1", 90), ("v2", 10)]))
        #expect(try names(try catalogue([("v1", 90), ("v2", 10)])) == before)
        let after = try names(try catalogue([("v1", 60), ("v2", 40)]))
        for (before, after) in zip(before, after) where before == "v2" { #expect(after == "v2") }
    }

    @Test func turnsOfAConversationAreOneConversation() throws {
        func hash(_ texts: [String], name: String? = nil, key: String? = nil) -> UInt64 {
            var request = ChatRequest(
                model: "m",
                messages: texts.enumerated().map { index, text in
                    ChatMessage(role: index % 2 == 0 ? .user : .assistant, content: text)
                })
            request.promptCacheKey = key
            return request.conversationHash(named: name)
        }
        #expect(hash(["a"]) == hash(["a", "b", "c"]))
        #expect(hash(["a"]) != hash(["b"]))
        #expect(hash(["a"], name: "x") == hash(["b"], name: "x", key: "y"))
        #expect(hash(["a"], key: "y") == hash(["b"], key: "y"))
        #expect(hash(["a"], key: "y") != hash(["a"], key: "z"))
    }
}
