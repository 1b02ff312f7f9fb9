import NIOCore

/// What every stream of a connection may be asked about its connection. Immutable; shared by all
/// streams of the connection.
final class HTTPConnectionContext {
    let eventLoop: any EventLoop
    let isSecure: Bool
    let remoteAddress: SocketAddress?

    init(eventLoop: any EventLoop, isSecure: Bool, remoteAddress: SocketAddress?) {
        self.eventLoop = eventLoop
        self.isSecure = isSecure
        self.remoteAddress = remoteAddress
    }
}
