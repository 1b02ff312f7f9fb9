import InferenceAPI
import NIOCore
import Routing

/// A chat request for a pool whose workers take text: checked as far as the gateway must know it.
struct ForwardedChat: Sendable {
    var request: ChatRequest
    /// Of its head only where the answer itself is the upstream's.
    var format: any AnswerFormat
    /// Which decoded it.
    var face: any Face
    /// It came in other words than the upstream's: its answer goes through the internal model.
    var isTranslated: Bool
    /// Which serves the request's model.
    var pool: Pool
    var caller: ChatCaller
    /// As the client sent it, for another pool.
    var body: ByteBuffer
    var forwarded: ForwardedRequest
    /// What the router is told of it.
    var placement: PlacementRequest
}

/// A chat request that can be sent to a worker.
enum PreparedRequest: Sendable {
    /// To one that takes token ids.
    case tokens(PreparedChat)
    /// To one that takes text.
    case text(ForwardedChat)

    var chat: ChatRequest {
        switch self {
        case .tokens(let prepared): prepared.request
        case .text(let forwarded): forwarded.request
        }
    }

    var format: any AnswerFormat {
        switch self {
        case .tokens(let prepared): prepared.format
        case .text(let forwarded): forwarded.format
        }
    }
}
