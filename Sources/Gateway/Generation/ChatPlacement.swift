import HTTPTransport
import InferenceAPI
import InferenceTypes
import Routing

/// Who asks, as far as the way to a worker depends on it.
struct ChatCaller: Sendable {
    var principal: Principal
    /// From the headers.
    var conversation: String?
}

extension RequestHeaders {
    /// `x-grok-conv-id`, else `x-session-id`.
    static func conversationID(in head: HTTPRequestHead) -> String? {
        conversationID(head.fields["x-grok-conv-id"])
            ?? conversationID(head.fields["x-session-id"])
    }
}

/// What the router is told of a chat request. Hashes are salted by tenant and model, so that no
/// tenant's prompts meet another's, and by a secret of this process, so that nobody can make some
/// that collide.
struct ChatPlacement: Sendable {
    /// Length assumed of an answer whose request names no limit.
    static let unlimitedOutputTokens = 256
    /// Most that is assumed of any answer: limits are often far above what comes.
    static let outputTokensMax = 1_024

    private let secret = UInt64.random(in: 0...UInt64.max)
    /// As the dispatcher's fleet has it.
    private let prefix = RoutingConfiguration().prefix

    func request(
        _ request: ChatRequest, prompt: [TokenID], model: String, contextTokens: Int,
        caller: ChatCaller
    ) -> PlacementRequest {
        let names = Self.names(model, caller)
        let conversation = caller.conversation ?? request.promptCacheKey
        return PlacementRequest(
            promptTokens: prompt.count,
            outputTokens: Self.outputTokens(
                most: request.sampling.maxTokens, room: contextTokens - prompt.count),
            blocks: PromptBlocks(
                prompt, salt: salt(model: model, caller: caller), configuration: prefix),
            conversation: conversation.map {
                PromptBlocks.salt(of: names + [$0], secret: secret)
            })
    }

    /// Of the hashes of the caller's prompts. Workers report cached blocks by it.
    func salt(model: String, caller: ChatCaller) -> UInt64 {
        PromptBlocks.salt(of: Self.names(model, caller), secret: secret)
    }

    private static func names(_ model: String, _ caller: ChatCaller) -> [String] {
        [model, caller.principal.tenantID]
    }

    /// Of a request whose prompt nobody here tokenizes: four bytes of text count as a token, so
    /// that equal beginnings are still found and lengths are about right.
    func request(
        _ request: ChatRequest, model: String, caller: ChatCaller
    ) -> PlacementRequest {
        self.request(
            request, prompt: Self.pieces(of: request.messages), model: model, contextTokens: .max,
            caller: caller)
    }

    /// Messages as numbers, four bytes each; the last ones of a message are filled up.
    static func pieces(of messages: [ChatMessage]) -> [TokenID] {
        var pieces: [TokenID] = []
        var piece: UInt32 = 0
        var count = 0
        func add(_ byte: UInt8) {
            piece = piece << 8 | UInt32(byte)
            count += 1
            guard count == 4 else { return }
            // Token ids are not negative.
            pieces.append(TokenID(piece & 0x7FFF_FFFF))
            (piece, count) = (0, 0)
        }
        for message in messages {
            for byte in message.role.rawValue.utf8 { add(byte) }
            for byte in (message.content ?? "").utf8 { add(byte) }
            // No UTF-8 text has this byte.
            repeat { add(0xFF) } while count != 0
        }
        return pieces
    }

    static func outputTokens(most: Int?, room: Int) -> Int {
        max(0, min(most ?? unlimitedOutputTokens, outputTokensMax, room))
    }
}
