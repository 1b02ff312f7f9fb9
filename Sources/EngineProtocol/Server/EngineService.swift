package import GRPC
package import NIOCore

/// What a worker implements to be driven by `vllm.grpc.engine.VllmEngine`.
///
/// All methods are called on the loop of the connection that asks, and must not block: information
/// comes from a snapshot.
package protocol EngineService: Sendable {
    /// A request to generate. The service keeps `call` on its loop and answers through it, from
    /// inside this method or later.
    func generate(_ request: EngineGenerateRequest, _ call: EngineServerCall)
    /// `call` ended before the service finished it: reset by the client, connection lost, deadline
    /// passed. At most once; the request should be cancelled and the call dropped.
    func cancelled(_ call: EngineServerCall, _ status: GRPCStatus)
    /// Back-pressure: while false, the request's sequence should pause.
    func writabilityChanged(_ call: EngineServerCall, _ isWritable: Bool)
    /// Cancel by id; ids that are unknown or finished are ignored.
    func abort(_ requestIDs: [String], on eventLoop: any EventLoop)
    func health() -> EngineHealth
    func modelInfo() -> EngineModelInfo
    func serverInfo() -> EngineServerInfo
    func loads() -> EngineLoads
    /// The files of the model's tokenizer, for gateways that tokenize by themselves; the future is
    /// of `eventLoop`. Fails with a `GRPCStatus` where there are none.
    func tokenizer(on eventLoop: any EventLoop) -> EventLoopFuture<EngineTokenizerBundle>
    /// A text to embed. The service answers through `call`, from inside this method or later.
    func embed(_ request: EngineEmbedRequest, _ call: EngineEmbedCall)
    /// Somebody wants events. The service keeps `call` on its loop and sends through it from now
    /// on, until it is told of the end.
    func subscribe(_ call: EngineEventCall)
    /// `call` ended before the service finished it.
    func unsubscribed(_ call: EngineEventCall)
    /// A subscriber that could not keep up reads again.
    func eventsWritable(_ call: EngineEventCall)
}

/// An engine without embeddings and events.
extension EngineService {
    package func embed(_ request: EngineEmbedRequest, _ call: EngineEmbedCall) {
        call.fail(GRPCStatus(.unimplemented, "no embeddings"))
    }

    package func subscribe(_ call: EngineEventCall) {
        call.finish(GRPCStatus(.unimplemented, "no events"))
    }

    package func unsubscribed(_ call: EngineEventCall) {}
    package func eventsWritable(_ call: EngineEventCall) {}
}
