import Logging
import NIOCore

/// Makes an accepted channel speak HTTP. Called on the channel's loop.
struct HTTPConnectionInitializer: Sendable {
    let configuration: HTTPServerConfiguration
    let service: any HTTPService
    let logger: Logger

    /// The one place where a connection's protocol is decided.
    ///
    /// `HTTPServer.drain` fires `HTTPDrainEvent` into every open channel's pipeline; the handler
    /// that serves the connection acts on it.
    func initialize(_ channel: any Channel) throws {
        try addHTTP2(to: channel, isSecure: false)
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
