import EngineProtocol
import Foundation
import GRPC
import HTTPTransport
import Logging
import NIOCore
import NIOPosix

/// A listener with `InteropService` and the health service behind it.
struct InteropServer {
    let server: HTTPServer
    let service: InteropService
    let health: GRPCHealthService

    /// Messages over 1 MiB are refused; answers are compressed for clients that take it.
    static func start(
        _ endpoint: HTTPEndpoint = .tcp(host: "127.0.0.1", port: 0),
        configuration: GRPCConfiguration? = nil, limits: HTTPLimits = HTTPLimits()
    ) async throws -> InteropServer {
        let health = GRPCHealthService(
            statuses: ["": .serving, "vllm.grpc.engine.VllmEngine": .serving])
        let service = InteropService(health: health)
        var router = GRPCRouter(
            configuration: configuration
                ?? GRPCConfiguration(maxMessageBytes: 1 << 20, encoding: .gzip))
        EngineServer.register(service, in: &router)
        health.register(in: &router)
        let server = try await HTTPServer.start(
            configuration: HTTPServerConfiguration(endpoint: endpoint, limits: limits),
            group: MultiThreadedEventLoopGroup.singleton, service: router,
            logger: Logger(label: "test"))
        return InteropServer(server: server, service: service, health: health)
    }

    var port: Int { server.localAddress?.port ?? 0 }
    var endpoint: HTTPEndpoint { .tcp(host: "127.0.0.1", port: port) }
}

/// Waits for a condition that another thread or process makes true, asking every few milliseconds.
func eventually(
    _ what: String, seconds: Double = 10, _ condition: @Sendable () async throws -> Bool
) async throws {
    let limit = ContinuousClock.now + .seconds(seconds)
    while try await !condition() {
        guard ContinuousClock.now < limit else { throw TimedOut(what: what) }
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        try await loop.scheduleTask(in: .milliseconds(2)) {}.futureResult.get()
    }
}

struct TimedOut: Error {
    let what: String
}
