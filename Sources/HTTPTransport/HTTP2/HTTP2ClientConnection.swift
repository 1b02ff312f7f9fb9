package import NIOCore

/// A client's HTTP/2 connection (prior knowledge) over TCP or a unix socket.
///
/// Confined to `eventLoop`: every call is made there.
package final class HTTP2ClientConnection {
    package let eventLoop: any EventLoop

    /// Called once when the connection has closed, after all streams have had `closed(_:)`.
    package var onClose: ((HTTPStreamError?) -> Void)?

    private init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    /// Connects, and succeeds when the server's SETTINGS have arrived.
    ///
    /// May be called anywhere; the future belongs to `eventLoop`, where its value must be used
    /// (`assumeIsolated()`). Fails with `HTTPStreamError`: `connectFailed`, `timeout`,
    /// `connectionClosed`, `protocolViolation`.
    package static func connect(
        to endpoint: HTTPEndpoint, on eventLoop: any EventLoop,
        configuration: HTTP2ClientConfiguration = HTTP2ClientConfiguration()
    ) -> EventLoopFuture<HTTP2ClientConnection> {
        eventLoop.makeFailedFuture(HTTPStreamError.connectFailed("not implemented"))
    }

    /// False once the connection is closed or the server has sent GOAWAY: open no more streams.
    package var isOpen: Bool { false }

    /// Streams open or waiting.
    package var streamCount: Int { 0 }

    /// Opens a stream. The request ends with the head when `end`; otherwise the handle's `send`
    /// adds body and end.
    ///
    /// Throws `goneAway` when the connection takes no more streams, and `tooManyStreams`.
    package func open(
        _ head: HTTPRequestHead, end: Bool, receiver: any HTTPClientStreamReceiver
    ) throws(HTTPStreamError) -> HTTPClientStream {
        throw .goneAway
    }

    /// Sends a PING; the completion gets the round trip's time, or why none came.
    package func ping(_ completion: @escaping (Result<TimeAmount, HTTPStreamError>) -> Void) {}

    /// Sends GOAWAY, lets open streams finish and closes then; opens no more streams.
    package func drain() {}

    /// Closes at once; open streams get `closed(.connectionClosed)`.
    package func close() {}
}
