import NIOCore
import NIOEmbedded

@testable import HTTPTransport

/// An HTTP/1.1 connection in memory, on a clock that stands still.
final class HTTP1Harness {
    let channel = EmbeddedChannel()
    let service: RecordingService
    let connection: HTTP1Connection
    let reads = ReadCounter()
    private let writes = WriteHolder()

    init(
        _ service: RecordingService = .echo(), through front: (any HTTPService)? = nil,
        limits: HTTPLimits = HTTPLimits(),
        refusal: @escaping HTTPRefusal.Body = { _, _ in nil }
    ) throws {
        self.service = service
        connection = HTTP1Connection(
            context: HTTPConnectionContext(
                eventLoop: channel.eventLoop, isSecure: false, remoteAddress: nil),
            limits: limits, service: front ?? service, refusal: refusal)
        try channel.pipeline.syncOperations.addHandlers([reads, writes])
        try connection.addHandlers(to: channel.pipeline.syncOperations)
        channel.connect(to: try SocketAddress(unixDomainSocketPath: "/x"), promise: nil)
    }

    var isOpen: Bool { channel.isActive }

    /// Sends bytes to the server and returns what it has answered by the end of the loop turn.
    @discardableResult
    func send(_ text: String) throws -> String {
        try send(ByteBuffer(string: text))
    }

    @discardableResult
    func send(_ bytes: ByteBuffer) throws -> String {
        // Errors that no handler takes are thrown here; ours takes all.
        if channel.isActive { try channel.writeInbound(bytes) }
        return try received()
    }

    func received() throws -> String {
        channel.embeddedEventLoop.run()
        var text = ""
        while let part = try channel.readOutbound(as: ByteBuffer.self) {
            text += String(buffer: part)
        }
        return text
    }

    func advance(_ time: TimeAmount) throws -> String {
        channel.embeddedEventLoop.advanceTime(by: time)
        return try received()
    }

    /// Lets writes rest in the channel, as a socket does whose peer does not read.
    func holdWrites() { writes.holds = true }

    func releaseWrites() {
        writes.release()
        channel.embeddedEventLoop.run()
    }

    func finish() { _ = try? channel.finish(acceptAlreadyClosed: true) }
}

/// Counts the reads that reach the socket.
final class ReadCounter: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    var count = 0

    func read(context: ChannelHandlerContext) {
        count += 1
        context.read()
    }
}

final class WriteHolder: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    var holds = false
    private var held: [(NIOAny, EventLoopPromise<Void>?)] = []
    private var context: ChannelHandlerContext?

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if holds {
            held.append((data, promise))
        } else {
            context.write(data, promise: promise)
        }
    }

    func release() {
        holds = false
        let all = held
        held = []
        for (data, promise) in all { context?.writeAndFlush(data, promise: promise) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        for (_, promise) in held { promise?.fail(ChannelError.ioOnClosedChannel) }
        held = []
        context.fireChannelInactive()
    }
}
