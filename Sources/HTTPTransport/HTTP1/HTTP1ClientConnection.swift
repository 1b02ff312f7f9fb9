package import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// How a client's HTTP/1.1 connection behaves.
package struct HTTP1ClientConfiguration: Sendable {
    /// Of these: `headerBytes`, `headerCount` and `streamWindowBytes` of responses,
    /// `outputHardLimitBytes` of requests.
    package var limits: HTTPLimits
    /// For the connection and its TLS handshake. Refusal: the attempt fails with `timeout`.
    package var connectTimeout = TimeAmount.seconds(5)
    /// Nil: no TLS.
    package var tls: HTTPClientTLS?

    package init(limits: HTTPLimits = .trusted) {
        self.limits = limits
    }
}

/// A client's HTTP/1.1 connection: one request at a time, kept alive between them.
///
/// Confined to `eventLoop`: every call is made there. It stays open until it is closed or lost,
/// whether or not somebody holds this object.
package final class HTTP1ClientConnection {
    package let eventLoop: any EventLoop
    /// Called when a request has ended, after its receiver's `closed(nil)`, and the connection
    /// takes another.
    package var onIdle: (() -> Void)? {
        get { handler.onIdle }
        set { handler.onIdle = newValue }
    }
    /// Called once when the connection has closed, after its request has had `closed(_:)`.
    package var onClosed: ((HTTPStreamError) -> Void)? {
        get { handler.onClosed }
        set { handler.onClosed = newValue }
    }

    private let handler: HTTP1ClientHandler

    private init(handler: HTTP1ClientHandler) {
        self.eventLoop = handler.eventLoop
        self.handler = handler
    }

    /// Connects, and succeeds when a request may be sent.
    ///
    /// May be called anywhere; the future belongs to `eventLoop`, where its value must be used.
    /// Fails with `HTTPStreamError`: `connectFailed`, `timeout`, `connectionClosed`.
    package static func connect(
        to endpoint: HTTPEndpoint, on eventLoop: any EventLoop,
        configuration: HTTP1ClientConfiguration = HTTP1ClientConfiguration()
    ) -> EventLoopFuture<HTTP1ClientConnection> {
        let promise = eventLoop.makePromise(of: HTTP1ClientConnection.self)
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(configuration.connectTimeout)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try attach(to: channel, configuration: configuration, promise: promise)
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
        to channel: any Channel, configuration: HTTP1ClientConfiguration,
        promise: EventLoopPromise<HTTP1ClientConnection>
    ) throws {
        let loop = channel.eventLoop
        let pipeline = channel.pipeline.syncOperations
        if let tls = configuration.tls {
            try pipeline.addHandler(
                NIOSSLClientHandler(
                    context: tls.context.context, serverHostname: tls.serverName))
        }
        let handler = try addHandlers(to: channel, configuration: configuration)
        let deadline = loop.assumeIsolated().scheduleTask(in: configuration.connectTimeout) {
            promise.fail(HTTPStreamError.timeout)
            handler.close()
        }
        handler.onReady = {
            deadline.cancel()
            promise.assumeIsolated().succeed(HTTP1ClientConnection(handler: handler))
        }
        handler.onClosed = { reason in
            // Before it was ready; whoever has the connection sets another.
            deadline.cancel()
            promise.fail(reason)
        }
    }

    /// Ends the pipeline with the parser and the handler.
    static func addHandlers(
        to channel: any Channel, configuration: HTTP1ClientConfiguration
    ) throws -> HTTP1ClientHandler {
        let handler = HTTP1ClientHandler(
            eventLoop: channel.eventLoop, limits: configuration.limits,
            waitsForTLS: configuration.tls != nil)
        var sizes = NIOHTTPDecoderLimitConfiguration()
        sizes.maxHeaderFieldSize = configuration.limits.headerBytes
        sizes.maxHeaderListSize = configuration.limits.headerBytes
        sizes.maxHeaderFieldCount = configuration.limits.headerCount
        try channel.pipeline.syncOperations.addHandlers([
            HTTPRequestEncoder(),
            ByteToMessageHandler(HTTPResponseDecoder(limitConfiguration: sizes)), handler,
        ])
        return handler
    }

    /// Connected, without a request, and the server has not said that it would close.
    package var isIdle: Bool { handler.isIdle }

    /// Sends a request's head. It ends there when `end`; otherwise the handle's `send` adds body
    /// and end. A body needs a `content-length`, or is chunked.
    ///
    /// Throws `tooManyStreams` unless the connection is idle.
    package func open(
        _ head: HTTPRequestHead, end: Bool, receiver: any HTTPClientStreamReceiver
    ) throws(HTTPStreamError) -> HTTPClientStream {
        HTTPClientStream(try handler.open(head, end: end, receiver: receiver))
    }

    /// Closes in this loop turn; a running request gets `closed(.connectionClosed)`, not from
    /// inside this call.
    package func close() {
        handler.close()
    }
}
