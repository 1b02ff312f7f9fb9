import InferenceAPI
import NIOCore

/// Chats that an upstream gets as they are.
extension ChatPreparation {
    /// A chat for an upstream of no more bytes is read on the event loop. One of a hundred bytes
    /// takes 7 us to read; the way to another thread and back cost 21.
    static let atOnceBytesLimit = 4 << 10

    /// A request that is ready without another thread: a small chat that an upstream gets as it is.
    /// Nil where more must be done, or said.
    func atOnce(_ source: PreparationSource, of caller: ChatCaller) -> PreparedRequest? {
        guard case .body(let body, let face) = source,
            body.readableBytes <= Self.atOnceBytesLimit
        else { return nil }
        let state = serving.current
        let limits = limits(for: body, face, state)
        guard limits.isForwarded, var request = try? face.decode(body, limits: limits),
            request.chat.previousResponseID == nil,
            let pool = try? pool(for: request.chat, caller, state), pool.kind == .openAI
        else { return nil }
        if caller.principal.access.storesNothing { request.storeNothing() }
        return .text(forwarded(request, body, face, caller, pool))
    }

    /// By which a body is decoded.
    func limits(
        for body: ByteBuffer, _ face: any Face, _ state: ServingState
    ) -> ChatRequestLimits {
        var limits = ChatRequestLimits()
        limits.choices = state.configuration.limits.choicesLimit
        limits.allowsDeferred = storage != nil
        limits.allowsBackground = storage != nil
        // What an upstream serves it decides by itself; who it is, the body's model tells.
        if face is ChatFace, state.catalogue.hasUpstreams,
            let name = ChatCompletionRequest.model(of: body)
        {
            limits.isForwarded = state.catalogue.takesText(name)
        }
        return limits
    }

    /// A chat whose body its upstream gets as it is.
    func forwarded(
        _ request: FaceRequest, _ body: ByteBuffer, _ face: any Face, _ caller: ChatCaller,
        _ pool: Pool
    ) -> ForwardedChat {
        ForwardedChat(
            request: request.chat, format: request.format, face: face, isTranslated: false,
            pool: pool, caller: caller, body: body,
            forwarded: Self.forwarded(body, isStreaming: request.chat.isStreaming),
            placement: placement.request(request.chat, model: pool.model.name, caller: caller))
    }

    private static func forwarded(_ body: ByteBuffer, isStreaming: Bool) -> ForwardedRequest {
        do {
            return try ForwardedRequest(body, isStreaming: isStreaming)
        } catch {
            preconditionFailure("a body that was decoded does not read: \(error)")
        }
    }
}
