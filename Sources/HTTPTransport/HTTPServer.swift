import FoundationEssentials
package import Logging
package import NIOCore
import NIOPosix

/// A listening server: accepts connections on the loops of a group and serves each of them on one
/// loop.
package final class HTTPServer: Sendable {
    private let listener: any Channel
    private let registry: HTTPConnectionRegistry
    private let endpoint: HTTPEndpoint

    private init(
        listener: any Channel, registry: HTTPConnectionRegistry, endpoint: HTTPEndpoint
    ) {
        self.listener = listener
        self.registry = registry
        self.endpoint = endpoint
    }

    /// Binds and starts accepting. A stale unix socket at the path is replaced.
    ///
    /// Throws what the system says when the address cannot be bound.
    package static func start(
        configuration: HTTPServerConfiguration, group: any EventLoopGroup,
        service: any HTTPService, logger: Logger
    ) async throws -> HTTPServer {
        let limits = configuration.limits
        let registry = HTTPConnectionRegistry(
            limit: limits.connections, refusedLimit: limits.refusedConnections)
        let initializer = HTTPConnectionInitializer(
            configuration: configuration,
            service: configuration.decodesRequestBodies
                ? RequestDecodingService(service, bodyBytes: limits.bodyBytes) : service,
            logger: logger)
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: Int32(clamping: configuration.backlog))
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                guard registry.add(channel) else {
                    logger.debug("connection refused: too many, or closing")
                    guard configuration.tls == nil, registry.addRefused(channel) else {
                        return channel.close()
                    }
                    return channel.eventLoop.makeCompletedFuture {
                        try initializer.initializeRefused(channel)
                    }
                }
                return channel.eventLoop.makeCompletedFuture {
                    try initializer.initialize(channel)
                }
            }
        let listener =
            switch configuration.endpoint {
            case .tcp(let host, let port): try await bootstrap.bind(host: host, port: port).get()
            case .unix(let path):
                try await bootstrap.bind(
                    unixDomainSocketPath: path, cleanupExistingSocketFile: true
                ).get()
            }
        if case .unix(let path) = configuration.endpoint {
            try FileManager.default.setAttributes(
                [.posixPermissions: Int(configuration.unixSocketMode)], ofItemAtPath: path)
        }
        return HTTPServer(
            listener: listener, registry: registry, endpoint: configuration.endpoint)
    }

    /// Where the server listens; with port 0 in the configuration, the port that was given.
    package var localAddress: SocketAddress? { listener.localAddress }

    /// Connections open now.
    package var connectionCount: Int { registry.count }

    /// Stops accepting, announces the end to all connections (HTTP/2: GOAWAY; HTTP/1.1:
    /// `connection: close`), and returns when all are closed; at `deadline` the rest is cut off.
    package func drain(deadline: NIODeadline) async {
        let channels = await stopAccepting()
        for channel in channels {
            channel.pipeline.fireUserInboundEventTriggered(HTTPDrainEvent())
        }
        let loop = listener.eventLoop
        let cutOff = loop.scheduleTask(deadline: deadline) {
            for channel in channels { channel.close(promise: nil) }
        }
        await closed(channels)
        cutOff.cancel()
    }

    /// Closes the listener and all connections at once; returns when they are closed.
    package func close() async {
        let channels = await stopAccepting()
        for channel in channels { channel.close(promise: nil) }
        await closed(channels)
    }

    private func stopAccepting() async -> [any Channel] {
        // Fails only when it is closed already.
        try? await listener.close().get()
        if case .unix(let path) = endpoint {
            // Gone already when closed twice.
            try? FileManager.default.removeItem(atPath: path)
        }
        return registry.beginClosing()
    }

    private func closed(_ channels: [any Channel]) async {
        let futures = channels.map(\.closeFuture)
        // A connection's own close error is no matter here.
        try? await EventLoopFuture.andAllComplete(futures, on: listener.eventLoop).get()
    }
}
