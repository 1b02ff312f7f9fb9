package import NIOCore
import NIOPosix
import NIOSSL

/// A client's HTTP/2 connection over TCP, with TLS (ALPN) or without (prior knowledge), or over a
/// unix socket.
///
/// Confined to `eventLoop`: every call is made there. It stays open until it is closed, drained or
/// lost, whether or not somebody holds this object.
package final class HTTP2ClientConnection {
    package let eventLoop: any EventLoop

    /// Called once when the connection has closed, after all streams have had `closed(_:)`; at once
    /// when it is set later than that. nil: we closed or drained it ourselves.
    package var onClose: ((HTTPStreamError?) -> Void)? {
        didSet {
            guard isClosed, let notify = onClose else { return }
            onClose = nil
            notify(closeReason)
        }
    }

    private var isClosed = false
    private var closeReason: HTTPStreamError?

    private let handler: HTTP2ConnectionHandler
    private var session: HTTP2Session { handler.session }
    private var isClosedByUs = false

    private init(eventLoop: any EventLoop, handler: HTTP2ConnectionHandler) {
        self.eventLoop = eventLoop
        self.handler = handler
    }

    /// Connects, and succeeds when the server's SETTINGS have arrived.
    ///
    /// May be called anywhere; the future belongs to `eventLoop`, where its value must be used
    /// (`assumeIsolated()`). Fails with `HTTPStreamError`: `connectFailed` (also when TLS fails),
    /// `timeout`, `connectionClosed`, `protocolViolation`.
    ///
    /// - Parameter tls: nil for a plaintext connection.
    package static func connect(
        to endpoint: HTTPEndpoint, on eventLoop: any EventLoop,
        configuration: HTTP2ClientConfiguration = HTTP2ClientConfiguration(),
        tls: HTTPClientTLS? = nil
    ) -> EventLoopFuture<HTTP2ClientConnection> {
        let promise = eventLoop.makePromise(of: HTTP2ClientConnection.self)
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(configuration.connectTimeout)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try attach(
                        to: channel, configuration: configuration, tls: tls, promise: promise)
                }
            }
        let channel =
            switch endpoint {
            case .tcp(let host, let port): bootstrap.connect(host: host, port: port)
            case .unix(let path): bootstrap.connect(unixDomainSocketPath: path)
            }
        channel.whenFailure { error in
            if case ChannelError.connectTimeout = error {
                promise.fail(HTTPStreamError.timeout)
            } else {
                promise.fail(HTTPStreamError.connectFailed("\(error)"))
            }
        }
        return promise.futureResult
    }

    /// Builds the connection around a channel; on its loop.
    private static func attach(
        to channel: any Channel, configuration: HTTP2ClientConfiguration, tls: HTTPClientTLS?,
        promise: EventLoopPromise<HTTP2ClientConnection>
    ) throws {
        let loop = channel.eventLoop
        try HTTP2ConnectionHandler.setOptions(of: channel, limits: configuration.limits)
        let session = HTTP2Session(
            role: .client(waitingStreams: configuration.waitingStreams),
            connection: HTTPConnectionContext(
                eventLoop: loop, isSecure: tls != nil, remoteAddress: channel.remoteAddress),
            limits: configuration.limits, now: .now())
        let handler = HTTP2ConnectionHandler(
            session: session,
            keepalive: configuration.keepaliveInterval.map {
                ($0, configuration.keepaliveTimeout)
            })
        let connection = HTTP2ClientConnection(eventLoop: loop, handler: handler)
        let deadline = loop.assumeIsolated().scheduleTask(in: configuration.connectTimeout) {
            promise.fail(HTTPStreamError.timeout)
            handler.closeNow()
        }
        let gate = TLSClientGate()
        var isReady = false
        session.settingsReceived = {
            isReady = true
            deadline.cancel()
            promise.assumeIsolated().succeed(connection)
        }
        handler.onClosed = { [unowned handler] reason in
            deadline.cancel()
            if isReady {
                connection.closed(reason)
            } else if handler.wasActive {
                promise.fail(gate.failure ?? reason ?? .connectionClosed)
            }
            // Otherwise connecting failed, which the bootstrap's future tells better.
        }
        let pipeline = channel.pipeline.syncOperations
        if let tls {
            try pipeline.addHandlers([
                NIOSSLClientHandler(context: tls.context.context, serverHostname: tls.serverName),
                gate,
            ])
        }
        try pipeline.addHandler(handler)
    }

    private func closed(_ reason: HTTPStreamError?) {
        let notify = onClose
        onClose = nil
        isClosed = true
        closeReason = isClosedByUs ? nil : reason
        notify?(closeReason)
    }

    /// False once the connection is closed, drained, or the server has sent GOAWAY: open no more
    /// streams.
    package var isOpen: Bool { session.canOpen }

    /// Streams open or waiting.
    package var streamCount: Int { session.streamCount }

    /// Opens a stream. The request ends with the head when `end`; otherwise the handle's `send`
    /// adds body and end. Over the peer's limit of streams it waits, invisibly to the caller.
    ///
    /// Throws `goneAway` when the connection takes no more streams, and `tooManyStreams` when
    /// `waitingStreams` wait already.
    package func open(
        _ head: HTTPRequestHead, end: Bool, receiver: any HTTPClientStreamReceiver
    ) throws(HTTPStreamError) -> HTTPClientStream {
        HTTPClientStream(try session.open(head, end: end, receiver: receiver))
    }

    /// Sends a PING; the completion gets the round trip's time, or why none came.
    package func ping(_ completion: @escaping (Result<TimeAmount, HTTPStreamError>) -> Void) {
        session.now = .now()
        session.ping(completion)
    }

    /// Sends GOAWAY, lets open streams finish and closes then; opens no more streams.
    package func drain() {
        isClosedByUs = true
        handler.drain()
    }

    /// Closes before the loop's turn ends; open streams get `closed(.connectionClosed)`, not from
    /// inside this call, which may come from one of their receivers.
    package func close() {
        isClosedByUs = true
        eventLoop.assumeIsolated().execute { [handler] in handler.closeNow() }
    }
}
