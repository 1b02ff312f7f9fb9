import InferenceAPI
import NIOCore
import Routing

/// A chat request for a pool whose workers take text: checked as far as the gateway must know it.
struct ForwardedChat: Sendable {
    var request: ChatRequest
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
}
