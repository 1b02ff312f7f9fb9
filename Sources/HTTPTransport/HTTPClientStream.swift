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

/// The client's handle on one request, for HTTP/2 and HTTP/1.1 alike. A value of one reference,
/// confined to the connection's loop. All calls are no-ops once the receiver has had `closed(_:)`.
package struct HTTPClientStream: Equatable {
    enum Backend {
        case http1(HTTP1ClientStream)
        case http2(HTTP2Stream)
    }

    let backend: Backend

    init(_ stream: HTTP1ClientStream) {
        backend = .http1(stream)
    }

    init(_ stream: HTTP2Stream) {
        backend = .http2(stream)
    }

    /// The loop that owns the connection.
    package var eventLoop: any EventLoop {
        switch backend {
        case .http1(let stream): stream.eventLoop
        case .http2(let stream): stream.connection.eventLoop
        }
    }

    /// Queues body bytes. Never blocks; `isWritable` says when to stop.
    package func send(_ body: ByteBuffer, end: Bool) {
        switch backend {
        case .http1(let stream): stream.send(body, end: end)
        case .http2(let stream): stream.send(body, end: end)
        }
    }

    /// Ends the request with trailers.
    package func send(trailers: HTTPFields) {
        switch backend {
        case .http1(let stream): stream.send(trailers: trailers)
        case .http2(let stream): stream.send(trailers: trailers)
        }
    }

    /// Abandons the request and drops unsent bytes: HTTP/2 sends RST_STREAM with `code`, HTTP/1.1
    /// closes the connection. `closed(.resetLocally)` follows, not from inside this call.
    package func reset(_ code: HTTP2ErrorCode = .cancel) {
        switch backend {
        case .http1(let stream): stream.reset(code)
        case .http2(let stream): stream.reset(code)
        }
    }

    /// Says that `bytes` of the received body are processed, which opens the server's window.
    package func consume(_ bytes: Int) {
        switch backend {
        case .http1(let stream): stream.consume(bytes)
        case .http2(let stream): stream.consume(bytes)
        }
    }

    package var isWritable: Bool {
        switch backend {
        case .http1(let stream): stream.isWritable
        case .http2(let stream): stream.isWritable
        }
    }

    /// Body bytes queued on this stream and not yet given to the connection (HTTP/1.1: to the
    /// socket).
    package var unsentBytes: Int {
        switch backend {
        case .http1(let stream): stream.unsentBytes
        case .http2(let stream): stream.unsentBytes
        }
    }

    package static func == (left: HTTPClientStream, right: HTTPClientStream) -> Bool {
        switch (left.backend, right.backend) {
        case (.http1(let left), .http1(let right)): left === right
        case (.http2(let left), .http2(let right)): left === right
        default: false
        }
    }
}
