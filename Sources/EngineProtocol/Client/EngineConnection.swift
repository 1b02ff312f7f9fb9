package import GRPC
package import HTTPTransport
package import InferenceTypes
package import NIOCore

/// How a gateway talks to workers.
package struct EngineConnectionConfiguration: Sendable, Equatable {
    package var transport: HTTP2ClientConfiguration
    package var calls: GRPCConfiguration
    /// Deadline of the calls that only ask (health, information, loads, abort), in nanoseconds.
    package var controlTimeoutNanoseconds: Int64

    /// Bytes of tokens that a worker may send ahead of a reader who does not consume: about 200
    /// tokens. Each becomes some ten times larger on its way to the client, where as many wait as
    /// its stream's output holds: no more are computed that perhaps nobody will read.
    package static let streamWindowBytes = 4 << 10

    /// The transport's defaults, with `streamWindowBytes` for each call.
    package static var defaultTransport: HTTP2ClientConfiguration {
        var transport = HTTP2ClientConfiguration()
        transport.limits.streamWindowBytes = streamWindowBytes
        return transport
    }

    package init(
        transport: HTTP2ClientConfiguration = defaultTransport,
        calls: GRPCConfiguration = GRPCConfiguration(),
        controlTimeoutNanoseconds: Int64 = 5_000_000_000
    ) {
        self.transport = transport
        self.calls = calls
        self.controlTimeoutNanoseconds = controlTimeoutNanoseconds
    }
}

/// What a worker must be shown, and must show, before it is trusted.
package struct EngineCredentials: Sendable {
    /// Nil: the connection is not encrypted.
    package var tls: HTTPClientTLS?
    /// The value of each call's `authorization`, asked for at each call, so that a new token is
    /// used at once; nil: none. Called on the connection's loop.
    package var authorization: @Sendable () -> String?

    package init(
        tls: HTTPClientTLS? = nil, authorization: @escaping @Sendable () -> String? = { nil }
    ) {
        self.tls = tls
        self.authorization = authorization
    }
}

/// One loop's own connection to one worker. Owned by `eventLoop`, where all methods must be called.
package final class EngineConnection {
    private let connection: HTTP2ClientConnection
    private let authority: String
    private let configuration: EngineConnectionConfiguration
    private let authorization: @Sendable () -> String?

    private init(
        _ connection: HTTP2ClientConnection, authority: String,
        configuration: EngineConnectionConfiguration,
        authorization: @escaping @Sendable () -> String?
    ) {
        self.connection = connection
        self.authority = authority
        self.configuration = configuration
        self.authorization = authorization
    }

    /// Connects. May be called anywhere; the future is on `eventLoop` and fails with
    /// `HTTPStreamError`.
    package static func connect(
        to endpoint: HTTPEndpoint, on eventLoop: any EventLoop,
        configuration: EngineConnectionConfiguration = EngineConnectionConfiguration(),
        credentials: EngineCredentials = EngineCredentials()
    ) -> EventLoopFuture<NIOLoopBound<EngineConnection>> {
        let authority =
            switch endpoint {
            // An IPv6 address needs brackets (RFC 3986 §3.2.2).
            case .tcp(let host, let port):
                host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
            case .unix: "localhost"
            }
        return eventLoop.flatSubmit {
            HTTP2ClientConnection.connect(
                to: endpoint, on: eventLoop, configuration: configuration.transport,
                tls: credentials.tls
            ).assumeIsolated().map { connection in
                NIOLoopBound(
                    EngineConnection(
                        connection, authority: authority, configuration: configuration,
                        authorization: credentials.authorization),
                    eventLoop: eventLoop)
            }.nonisolated()
        }
    }

    package var eventLoop: any EventLoop { connection.eventLoop }

    /// False once no more calls can be started.
    package var isOpen: Bool { connection.isOpen }

    /// Calls open or waiting for the worker's stream limit.
    package var callCount: Int { connection.streamCount }

    /// Called once when the connection has closed, after its calls have failed.
    package var onClose: ((HTTPStreamError?) -> Void)? {
        get { connection.onClose }
        set { connection.onClose = newValue }
    }

    /// Starts generating one choice.
    ///
    /// - Parameter timeoutNanoseconds: the call's deadline, enforced on both sides; nil for none.
    /// - Throws: UNAVAILABLE when the connection takes no call; nothing was sent, and the receiver
    ///   is not called.
    package func generate(
        _ request: GenerationRequest, metadata: EngineMetadata = EngineMetadata(),
        timeoutNanoseconds: Int64? = nil, receiver: any EngineStreamReceiver
    ) throws(GRPCStatus) -> EngineCall {
        let message = try EngineMessages.generateRequest(request)
        let engineCall = EngineCall(receiver)
        let call = try GRPCClientCall.start(
            EngineServer.pathPrefix + "Generate", on: connection, authority: authority,
            metadata: authorized(metadata.grpcMetadata(for: request)),
            timeoutNanoseconds: timeoutNanoseconds, configuration: configuration.calls,
            consumesManually: true, receiver: engineCall)
        engineCall.started(call)
        call.send(message, end: true)
        return engineCall
    }

    /// Asks for the embedding of one text; `completion` is called once, unless the call is
    /// cancelled.
    ///
    /// - Throws: UNAVAILABLE when the connection takes no call; nothing was sent.
    package func embed(
        _ request: EngineEmbedRequest, timeoutNanoseconds: Int64? = nil,
        completion: @escaping (Result<EngineEmbedding, GRPCStatus>) -> Void
    ) throws(GRPCStatus) -> EngineEmbedClientCall {
        let message = try EngineMessages.embedRequest(request)
        var metadata = GRPCMetadata()
        if let trace = request.trace {
            metadata.append(EngineMetadataKey.traceParent, trace.traceparent)
            if !trace.state.isEmpty { metadata.append(EngineMetadataKey.traceState, trace.state) }
        }
        let embedCall = EngineEmbedClientCall(completion)
        let call = try GRPCClientCall.start(
            EngineServer.pathPrefix + "Embed", on: connection, authority: authority,
            metadata: authorized(metadata), timeoutNanoseconds: timeoutNanoseconds,
            configuration: configuration.calls, receiver: embedCall)
        embedCall.started(call)
        call.send(message, end: true)
        return embedCall
    }

    /// Cancels requests by id, also those of other connections. Fails with a `GRPCStatus`, as do
    /// the futures of the methods below.
    package func abort(_ requestIDs: [String]) -> EventLoopFuture<Void> {
        control(
            "Abort", { () throws(GRPCStatus) in try EngineMessages.abortRequest(requestIDs) },
            { _ throws(GRPCStatus) in })
    }

    package func healthCheck() -> EventLoopFuture<EngineHealth> {
        control("HealthCheck", Self.emptyRequest, EngineMessages.health)
    }

    package func modelInfo() -> EventLoopFuture<EngineModelInfo> {
        control("GetModelInfo", Self.emptyRequest, EngineMessages.modelInfo)
    }

    package func serverInfo() -> EventLoopFuture<EngineServerInfo> {
        control("GetServerInfo", Self.emptyRequest, EngineMessages.serverInfo)
    }

    package func loads() -> EventLoopFuture<EngineLoads> {
        control("GetLoads", Self.emptyRequest, EngineMessages.loads)
    }

    /// Asks for the engine's events, without end.
    ///
    /// - Throws: UNAVAILABLE when the connection takes no call; the receiver is not called.
    package func subscribe(
        _ receiver: any EngineEventReceiver
    ) throws(GRPCStatus) -> EngineSubscription {
        let message = try EngineMessages.encode(subscribingFrom: 0)
        let subscription = EngineSubscription(receiver)
        let call = try GRPCClientCall.start(
            EngineServer.pathPrefix + "SubscribeKvEvents", on: connection, authority: authority,
            configuration: configuration.calls, receiver: subscription)
        subscription.started(call)
        call.send(message, end: true)
        return subscription
    }

    /// A PING's round trip, for health.
    package func ping(_ completion: @escaping (Result<TimeAmount, HTTPStreamError>) -> Void) {
        connection.ping(completion)
    }

    /// Starts no more calls, lets open ones end, then closes.
    package func drain() { connection.drain() }

    /// Closes before the loop's turn ends; open calls fail with UNAVAILABLE.
    package func close() { connection.close() }

    private func authorized(_ metadata: GRPCMetadata) -> GRPCMetadata {
        guard let authorization = authorization() else { return metadata }
        var metadata = metadata
        metadata.append("authorization", authorization)
        return metadata
    }

    private static let emptyRequest = { @Sendable () throws(GRPCStatus) in ByteBuffer() }

    private func control<Answer: Sendable>(
        _ method: String, _ request: () throws(GRPCStatus) -> ByteBuffer,
        _ decode: @escaping @Sendable (ByteBuffer) throws(GRPCStatus) -> Answer
    ) -> EventLoopFuture<Answer> {
        do {
            return GRPCUnaryCall.start(
                EngineServer.pathPrefix + method, try request(), on: connection,
                authority: authority, metadata: authorized(GRPCMetadata()),
                timeoutNanoseconds: configuration.controlTimeoutNanoseconds,
                configuration: configuration.calls
            ).flatMapThrowing { try decode($0) }
        } catch {
            return connection.eventLoop.makeFailedFuture(error)
        }
    }
}
