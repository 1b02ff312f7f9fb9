package import NIOCore

/// Receives one response. All calls come on the connection's loop.
package protocol HTTPClientStreamReceiver: AnyObject {
    /// The final response head. Informational heads (1xx) are dropped by the transport.
    func received(_ head: HTTPResponseHead)

    /// Body bytes. The stream's window is given back only by `HTTPClientStream.consume(_:)`.
    ///
    /// The buffer may share the storage of the socket's read buffer: copy what is kept for long.
    func received(_ bytes: ByteBuffer)

    /// The server ended its side.
    func receivedEnd(trailers: HTTPFields?)

    /// Called exactly once, last. nil: both sides ended normally.
    func closed(_ error: HTTPStreamError?)

    /// As for `HTTPServerStreamReceiver`.
    func writabilityChanged(_ isWritable: Bool)
}

extension HTTPClientStreamReceiver {
    package func writabilityChanged(_ isWritable: Bool) {}
}

/// The client's handle on one request. A value of one reference, confined to the connection's loop.
/// All calls are no-ops once the receiver has had `closed(_:)`.
package struct HTTPClientStream: Equatable {
    let stream: HTTP2Stream

    init(_ stream: HTTP2Stream) {
        self.stream = stream
    }

    /// The loop that owns the connection.
    package var eventLoop: any EventLoop { stream.connection.eventLoop }

    /// Queues body bytes. Never blocks; `isWritable` says when to stop.
    package func send(_ body: ByteBuffer, end: Bool) {
        stream.send(body, end: end)
    }

    /// Ends the request with trailers.
    package func send(trailers: HTTPFields) {
        stream.send(trailers: trailers)
    }

    /// Sends RST_STREAM with `code` and drops unsent bytes. `closed(.resetLocally)` follows, not
    /// from inside this call.
    package func reset(_ code: HTTP2ErrorCode = .cancel) {
        stream.reset(code)
    }

    /// Says that `bytes` of the received body are processed, which opens the server's window.
    package func consume(_ bytes: Int) {
        stream.consume(bytes)
    }

    package var isWritable: Bool { stream.isWritable }

    /// Body bytes queued on this stream and not yet given to the connection.
    package var unsentBytes: Int { stream.unsentBytes }

    package static func == (left: HTTPClientStream, right: HTTPClientStream) -> Bool {
        left.stream === right.stream
    }
}
