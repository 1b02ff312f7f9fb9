package import Logging
package import NIOCore

/// A listening server: accepts connections on the loops of a group and serves each of them on one
/// loop.
package final class HTTPServer: Sendable {
    private let channel: any Channel

    private init(channel: any Channel) {
        self.channel = channel
    }

    /// Binds and starts accepting.
    ///
    /// Throws what the system says when the address cannot be bound.
    package static func start(
        configuration: HTTPServerConfiguration, group: any EventLoopGroup,
        service: any HTTPService, logger: Logger
    ) async throws -> HTTPServer {
        throw HTTPStreamError.connectFailed("not implemented")
    }

    /// Where the server listens; with port 0 in the configuration, the port that was given.
    package var localAddress: SocketAddress? { channel.localAddress }

    /// Stops accepting, announces the end to all connections (HTTP/2: GOAWAY; HTTP/1.1:
    /// `connection: close`), and returns when all are closed; at `deadline` the rest is cut off.
    package func drain(deadline: NIODeadline) async {}

    /// Closes the listener and all connections at once.
    package func close() async {}
}
