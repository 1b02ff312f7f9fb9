package import NIOCore

/// The server's handle on one request's stream, for HTTP/2 and HTTP/1.1 alike.
///
/// A value of one reference: copies are the same stream. Confined to the connection's loop
/// (`eventLoop`): every call must be made there. All calls are cheap no-ops once the receiver has
/// had `closed(_:)`.
///
/// The protocols are an enum, not a class hierarchy: one allocation per stream and a direct call.
package struct HTTPServerStream: Equatable {
    enum Backend {
        case http1(HTTP1Stream)
        case http2(HTTP2Stream)
    }

    let backend: Backend
    /// Set while a `RequestDecodingService` stands between: `consume` counts decoded bytes.
    private var decoding: RequestDecoding?

    init(_ stream: HTTP1Stream) {
        backend = .http1(stream)
    }

    init(_ stream: HTTP2Stream) {
        backend = .http2(stream)
    }

    /// The loop that owns the connection.
    package var eventLoop: any EventLoop {
        switch backend {
        case .http1(let stream): stream.connection.context.eventLoop
        case .http2(let stream): stream.connection.eventLoop
        }
    }

    package var isHTTP2: Bool {
        switch backend {
        case .http1: false
        case .http2: true
        }
    }

    /// The connection is TLS.
    package var isSecure: Bool {
        switch backend {
        case .http1(let stream): stream.connection.context.isSecure
        case .http2(let stream): stream.connection.isSecure
        }
    }

    /// The client's address; nil for in-memory connections.
    package var remoteAddress: SocketAddress? {
        switch backend {
        case .http1(let stream): stream.connection.context.remoteAddress
        case .http2(let stream): stream.connection.remoteAddress
        }
    }

    /// Sends the response's head. Informational heads (1xx) may precede the final one, of which
    /// there is one; a second final head is ignored in release and trapped in debug builds.
    ///
    /// The transport adds `date`, drops the body of answers that have none (HEAD, 204, 304), and
    /// frames the body for HTTP/1.1.
    package func send(_ head: HTTPResponseHead, end: Bool) {
        switch backend {
        case .http1(let stream): stream.send(head, end: end)
        case .http2(let stream): stream.send(head, end: end)
        }
    }

    /// Queues body bytes after the head. Never blocks; `isWritable` says when to stop.
    package func send(_ body: ByteBuffer, end: Bool) {
        switch backend {
        case .http1(let stream): stream.send(body, end: end)
        case .http2(let stream): stream.send(body, end: end)
        }
    }

    /// Ends the response with trailers.
    package func send(trailers: HTTPFields) {
        switch backend {
        case .http1(let stream): stream.send(trailers: trailers)
        case .http2(let stream): stream.send(trailers: trailers)
        }
    }

    /// Abandons the stream at once: HTTP/2 sends RST_STREAM with `code` (RFC 9113 §7) and drops
    /// unsent bytes; HTTP/1.1 closes the connection. `closed(.resetLocally)` follows, not from
    /// inside this call.
    package func reset(_ code: HTTP2ErrorCode) {
        switch backend {
        case .http1(let stream): stream.reset(code)
        case .http2(let stream): stream.reset(code)
        }
    }

    /// Says that `bytes` of the received body are processed, which opens the client's window.
    package func consume(_ bytes: Int) {
        let bytes = decoding?.codedBytes(consuming: bytes) ?? bytes
        switch backend {
        case .http1(let stream): stream.consume(bytes)
        case .http2(let stream): stream.consume(bytes)
        }
    }

    /// Ends the request with a refusal of the transport's own, if no response has begun; resets it
    /// otherwise. The receiver gets `closed(reason)` inside of this call, if it has been returned
    /// to the transport already.
    func refuse(_ refusal: HTTPRefusal, _ reason: HTTPStreamError) {
        switch backend {
        case .http1(let stream): stream.refuse(refusal, reason)
        case .http2(let stream): stream.refuse(refusal, reason)
        }
    }

    /// The same stream for a service that sees the decoded body.
    func decoded(by decoding: RequestDecoding) -> HTTPServerStream {
        var stream = self
        stream.decoding = decoding
        return stream
    }

    /// False from the moment when unsent bytes exceed the high watermark until they fall to the
    /// low one.
    package var isWritable: Bool {
        switch backend {
        case .http1(let stream): stream.isWritable
        case .http2(let stream): stream.isWritable
        }
    }

    /// Body bytes queued on this stream and not yet given to the connection.
    package var unsentBytes: Int {
        switch backend {
        case .http1(let stream): stream.unsentBytes
        case .http2(let stream): stream.unsentBytes
        }
    }

    package static func == (left: HTTPServerStream, right: HTTPServerStream) -> Bool {
        switch (left.backend, right.backend) {
        case (.http1(let left), .http1(let right)): left === right
        case (.http2(let left), .http2(let right)): left === right
        default: false
        }
    }
}
