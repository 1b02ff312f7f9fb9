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
}
