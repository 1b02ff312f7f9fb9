import HTTPTransport
import NIOCore
import NIOHTTP1
import NIOPosix

/// A client's HTTP/1.1 connection with one request at a time, kept alive between them.
///
/// Owned by `eventLoop`. Tells its receiver what an HTTP/2 stream would.
final class HTTP1ClientConnection: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    /// Called when a request has ended and the connection can take another.
    var onIdle: ((HTTP1ClientConnection) -> Void)?

    private var channel: (any Channel)?
    private var receiver: (any HTTPClientStreamReceiver)?
    private var isKeptAlive = true

    static func connect(
        to endpoint: HTTPEndpoint, on eventLoop: any EventLoop
    ) -> EventLoopFuture<HTTP1ClientConnection> {
        let promise = eventLoop.makePromise(of: HTTP1ClientConnection.self)
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(.seconds(10))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let connection = HTTP1ClientConnection()
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(HTTPRequestEncoder())
                    try pipeline.addHandler(ByteToMessageHandler(HTTPResponseDecoder()))
                    try pipeline.addHandler(connection)
                    connection.channel = channel
                    connection.whenActive = { promise.assumeIsolated().succeed(connection) }
                }
            }
        let channel =
            switch endpoint {
            case .tcp(let host, let port): bootstrap.connect(host: host, port: port)
            case .unix(let path): bootstrap.connect(unixDomainSocketPath: path)
            }
        channel.whenFailure { promise.fail(HTTPStreamError.connectFailed("\($0)")) }
        return promise.futureResult
    }

    private var whenActive: (() -> Void)?

    /// Connected, without a request, and the server has not said that it would close.
    var isIdle: Bool { receiver == nil && isKeptAlive && channel?.isActive == true }

    /// Sends a request. The connection must be idle.
    func open(
        _ head: HTTPTransport.HTTPRequestHead, body: ByteBuffer?,
        receiver: any HTTPClientStreamReceiver
    ) {
        precondition(isIdle, "an HTTP/1.1 connection takes one request at a time")
        guard let channel else { return }
        self.receiver = receiver
        var headers = HTTPHeaders()
        headers.add(name: "host", value: head.authority)
        for field in head.fields { headers.add(name: field.name, value: field.value) }
        if let body { headers.add(name: "content-length", value: "\(body.readableBytes)") }
        let encoded = NIOHTTP1.HTTPRequestHead(
            version: .http1_1, method: .init(rawValue: head.method), uri: head.path,
            headers: headers)
        let pipeline = channel.pipeline.syncOperations
        pipeline.write(NIOAny(OutboundOut.head(encoded)), promise: nil)
        if let body {
            pipeline.write(NIOAny(OutboundOut.body(.byteBuffer(body))), promise: nil)
        }
        pipeline.writeAndFlush(NIOAny(OutboundOut.end(nil)), promise: nil)
    }

    /// Closes the connection; a running request gets `closed(.connectionClosed)`.
    func close() {
        isKeptAlive = false
        channel?.close(promise: nil)
    }

    // MARK: ChannelInboundHandler

    func channelActive(context: ChannelHandlerContext) {
        whenActive?()
        whenActive = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let receiver else { return }
        switch unwrapInboundIn(data) {
        case .head(let head):
            guard head.status.code >= 200 else { return }
            isKeptAlive = head.isKeepAlive
            receiver.received(HTTPTransport.HTTPResponseHead(status: Int(head.status.code)))
        case .body(let bytes):
            receiver.received(bytes)
        case .end:
            self.receiver = nil
            if isKeptAlive { onIdle?(self) } else { context.close(promise: nil) }
            receiver.receivedEnd(trailers: nil)
            receiver.closed(nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(.connectionClosed)
        channel = nil
        onIdle = nil
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(error is HTTPParserError ? .protocolViolation : .connectionClosed)
        isKeptAlive = false
        context.close(promise: nil)
    }

    private func fail(_ error: HTTPStreamError) {
        let receiver = self.receiver
        self.receiver = nil
        receiver?.closed(error)
    }
}
