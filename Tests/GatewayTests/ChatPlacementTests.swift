import HTTPTransport
import InferenceAPI
import InferenceTypes
import Routing
import Testing

@testable import Gateway

@Suite struct ChatPlacementTests {
    private let placement = ChatPlacement()
    private let prompt = (0..<200).map { TokenID($0) }

    private func request(
        tenant: String = "default", header: String? = nil, key: String? = nil,
        maxTokens: Int? = nil,
        model: String = "m"
    ) -> PlacementRequest {
        var chat = ChatRequest(model: model, messages: [])
        chat.promptCacheKey = key
        chat.sampling.maxTokens = maxTokens
        return placement.request(
            chat, prompt: prompt, model: model, contextTokens: 4_096,
            caller: ChatCaller(
                principal: Principal(tenantID: tenant), conversation: header))
    }

    @Test func equalPromptsOfOneTenantAreEqual() {
        #expect(request(tenant: "a") == request(tenant: "a"))
        #expect(request().blocks.hashes.count == 3 && request().promptTokens == 200)
    }

    @Test func tenantsAndModelsShareNothing() {
        let one = request(tenant: "a", header: "c")
        for other in [
            request(tenant: "b", header: "c"), request(header: "c"),
            request(tenant: "a", header: "c", model: "n"),
        ] {
            #expect(Set(one.blocks.hashes).isDisjoint(with: other.blocks.hashes))
            #expect(one.conversation != other.conversation)
        }
    }

    @Test func theHeaderIsTheSameAsTheKeyOfTheBodyAndPrecedesIt() {
        #expect(request().conversation == nil)
        #expect(request(header: "c").conversation == request(key: "c").conversation)
        #expect(request(header: "c", key: "d").conversation == request(key: "c").conversation)
        #expect(request(key: "c").conversation != request(key: "d").conversation)
    }

    @Test(
        arguments: [
            ([("x-grok-conv-id", "a"), ("x-session-id", "b")], "a"),
            ([("x-session-id", "b")], "b"),
            ([("x-grok-conv-id", "no good"), ("x-session-id", "b")], "b"),
            ([], nil),
        ] as [([(String, String)], String?)])
    func conversationsAreNamedByHeaders(fields: [(String, String)], expected: String?) {
        var head = HTTPRequestHead(method: "POST", authority: "x", path: "/", fields: HTTPFields())
        for (name, value) in fields { head.fields.append(name, value) }
        #expect(RequestHeaders.conversationID(in: head) == expected)
    }

    @Test func guessesOfTheAnswerAreBounded() {
        #expect(request().outputTokens == 256)
        #expect(request(maxTokens: 10).outputTokens == 10)
        #expect(request(maxTokens: 100_000).outputTokens == 1_024)
        #expect(ChatPlacement.outputTokens(most: 500, room: 20) == 20)
        #expect(ChatPlacement.outputTokens(most: nil, room: -5) == 0)
    }
}

@Suite struct TextPlacementTests {
    private func pieces(_ texts: String...) -> [Int32] {
        ChatPlacement.pieces(
            of: texts.map { ChatMessage(role: .user, content: $0) })
    }

    @Test func equalBeginningsAreEqualPieces() {
        let long = String(repeating: "0123456789abcdef", count: 20)
        #expect(pieces(long + "x").starts(with: pieces(long).prefix(80)))
        #expect(pieces(long).starts(with: pieces(long, "more").prefix(80)))
        #expect(pieces("a", "b") != pieces("ab") && pieces("a") != pieces("a\u{0}"))
        #expect(pieces("é漢🙂").allSatisfy { $0 >= 0 })
        #expect(pieces(long).count == (4 + long.utf8.count) / 4 + 1)
        #expect(pieces().isEmpty)
    }
}
