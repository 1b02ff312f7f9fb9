import Logging
import NIOCore
import NIOSSL

/// Makes an accepted channel speak HTTP. Called on the channel's loop.
struct HTTPConnectionInitializer: Sendable {
    let configuration: HTTPServerConfiguration
    let service: any HTTPService
    let logger: Logger

    /// The one place where a connection's protocol is decided: by ALPN under TLS, else by the
    /// first bytes.
    ///
    /// `HTTPServer.drain` fires `HTTPDrainEvent` into every open channel's pipeline; the handler
    /// that serves the connection acts on it.
    func initialize(_ channel: any Channel) throws {
        let timeout = configuration.limits.headerTimeout
        let pipeline = channel.pipeline.syncOperations
        if let tls = configuration.tls {
            try pipeline.addHandlers([
                NIOSSLServerHandler(context: tls.current),
                ALPNSelector(timeout: timeout) { found in
                    guard found == .http2 || tls.offersHTTP1 else {
                        throw HTTPStreamError.protocolViolation
                    }
                    try add(found, to: channel, isSecure: true)
                },
            ])
        } else {
            try pipeline.addHandler(
                ProtocolSniffer(timeout: timeout) { try add($0, to: channel, isSecure: false) })
        }
    }

    /// For a plaintext connection over the limit: an HTTP/1.1 client is told 503, in the time that
    /// other refused clients get; another is cut off.
    func initializeRefused(_ channel: any Channel) throws {
        try channel.pipeline.syncOperations.addHandler(
            ProtocolSniffer(timeout: configuration.limits.lingerTimeout) { found in
                guard found == .http1 else {
                    channel.close(promise: nil)
                    return
                }
                try makeHTTP1(on: channel, isSecure: false).refuseConnection()
            })
    }

    private func add(_ found: HTTPProtocol, to channel: any Channel, isSecure: Bool) throws {
        switch found {
        case .http1: _ = try makeHTTP1(on: channel, isSecure: isSecure)
        case .http2: try addHTTP2(to: channel, isSecure: isSecure)
        }
    }

    /// Ends the pipeline with the HTTP/1.1 parser and connection; bytes as for `addHTTP2`.
    private func makeHTTP1(on channel: any Channel, isSecure: Bool) throws -> HTTP1Connection {
        let connection = HTTP1Connection(
            context: HTTPConnectionContext(
                eventLoop: channel.eventLoop, isSecure: isSecure,
                remoteAddress: channel.remoteAddress),
            limits: configuration.limits, service: service, refusal: configuration.refusal)
        try connection.addHandlers(to: channel.pipeline.syncOperations)
        return connection
    }

    /// Ends the pipeline with an HTTP/2 server session. Bytes that arrived before this (for
    /// sniffing) are to be fired again as `channelRead` afterwards.
    func addHTTP2(to channel: any Channel, isSecure: Bool) throws {
        try HTTP2ConnectionHandler.setOptions(of: channel, limits: configuration.limits)
        let session = HTTP2Session(
            role: .server(service, refusalBody: configuration.refusal),
            connection: HTTPConnectionContext(
                eventLoop: channel.eventLoop, isSecure: isSecure,
                remoteAddress: channel.remoteAddress),
            limits: configuration.limits, now: .now())
        let handler = HTTP2ConnectionHandler(session: session)
        handler.onClosed = { [logger] error in
            if let error, error != .connectionClosed {
                logger.debug("connection ended early", metadata: ["error": "\(error)"])
            }
        }
        try channel.pipeline.syncOperations.addHandler(handler)
    }
}
