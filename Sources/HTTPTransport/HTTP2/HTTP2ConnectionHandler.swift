import NIOCore

/// Puts a session on a channel: the last handler of an HTTP/2 connection's pipeline.
///
/// Frames leave at most once per loop turn: at the end of a read burst, or in one task that the
/// first output of the turn schedules. No frame is made while the socket has more than
/// `HTTPLimits.connectionOutputBytes` to take; a server then reads no more either, so a peer that
/// does not read its answers cannot make us work. (A client goes on reading: two ends that both
/// wait for the other to read would wait for ever.)
final class HTTP2ConnectionHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let session: HTTP2Session
    private let keepalive: (interval: TimeAmount, timeout: TimeAmount)?
    private let tickInterval: TimeAmount
    /// Called once, after the streams have had their `closed`.
    var onClosed: (HTTPStreamError?) -> Void = { _ in }

    private var context: ChannelHandlerContext?
    /// The channel was connected.
    private(set) var wasActive = false
    private var isReading = false
    private var isFlushing = false
    private var isFlushScheduled = false
    private var isReadHeld = false
    private var isEnding = false
    private var unwritableSince: NIODeadline?
    private var keepaliveSentAt: NIODeadline?
    private var tick: Scheduled<Void>?

    /// Flushes of `connectionOutputBytes` that one connection may do before others get a turn.
    private let flushesPerTurn = 16

    init(
        session: HTTP2Session,
        keepalive: (interval: TimeAmount, timeout: TimeAmount)? = nil
    ) {
        self.session = session
        self.keepalive = keepalive
        let limits = session.limits
        var shortest = min(limits.headerTimeout, limits.bodyTimeout, limits.idleTimeout)
        if let keepalive { shortest = min(shortest, keepalive.interval, keepalive.timeout) }
        let quarter = TimeAmount.nanoseconds(shortest.nanoseconds / 4)
        tickInterval = max(.milliseconds(10), min(quarter, .seconds(1)))
    }

    /// The options that a channel needs before this handler is added.
    static func setOptions(
        of channel: any Channel, limits: HTTPLimits
    ) throws {
        let options = channel.syncOptions
        let high = limits.connectionOutputBytes
        try options?.setOption(
            .writeBufferWaterMark, value: .init(low: high / 2, high: high))
    }

    // MARK: Life

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        session.becameDirty = { [unowned self] in scheduleFlush() }
        scheduleTick()
        if context.channel.isActive {
            wasActive = true
            flush()
        }
    }

    func channelActive(context: ChannelHandlerContext) {
        wasActive = true
        flush()
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish(.connectionClosed)
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        finish(.connectionClosed)
        self.context = nil
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A reset by the peer, or a TLS failure: nothing can be said any more.
        context.close(promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is HTTPDrainEvent {
            drain()
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    private func finish(_ error: HTTPStreamError?) {
        guard let tick else { return }
        self.tick = nil
        tick.cancel()
        session.becameDirty = {}
        session.settingsReceived = {}
        let reason = session.failure ?? error
        session.finish(error)
        let notify = onClosed
        onClosed = { _ in }
        notify(reason)
    }

    func drain() {
        session.beginDrain(now: .now())
    }

    /// Closes the channel; streams hear of it when the channel is inactive.
    func closeNow() {
        context?.close(promise: nil)
    }

    // MARK: Bytes in

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        isReading = true
        keepaliveSentAt = nil
        session.receive(unwrapInboundIn(data), now: .now())
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        if session.isDirty || session.failure != nil { flush() }
        context.fireChannelReadComplete()
    }

    func read(context: ChannelHandlerContext) {
        if session.isServer && !context.channel.isWritable {
            isReadHeld = true
        } else {
            context.read()
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            unwritableSince = nil
            if session.isDirty { flush() }
            if isReadHeld && context.channel.isWritable {
                isReadHeld = false
                context.read()
            }
        } else {
            unwritableSince = .now()
        }
        context.fireChannelWritabilityChanged()
    }

    // MARK: Bytes out

    private func scheduleFlush() {
        guard !isReading, !isFlushing, !isFlushScheduled, let context else { return }
        isFlushScheduled = true
        context.eventLoop.assumeIsolated().execute { [self] in
            isFlushScheduled = false
            if session.isDirty { flush() }
        }
    }

    private func flush() {
        guard !isFlushing, let context, context.channel.isActive else { return }
        isFlushing = true
        var flushes = 0
        while context.channel.isWritable && flushes < flushesPerTurn {
            let bytes = session.produce(
                limit: session.limits.connectionOutputBytes, now: .now())
            if bytes.readableBytes == 0 { break }
            flushes += 1
            context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
            if !session.isDirty { break }
        }
        isFlushing = false
        if session.isFinished {
            end(context)
        } else if session.isDirty && context.channel.isWritable {
            scheduleFlush()
        }
    }

    /// Nothing more will be said. What was said reaches the peer: only after the last byte has left
    /// is the output closed, and only after the peer's own end, or a while, the socket. (To close a
    /// socket on which bytes still arrive makes TCP reset it, and the peer lose what it had not
    /// read.)
    private func end(_ context: ChannelHandlerContext) {
        guard !isEnding else { return }
        isEnding = true
        finish(.connectionClosed)
        let loop = context.eventLoop.assumeIsolated()
        let channel = context.channel
        let limits = session.limits
        let stalled = loop.scheduleTask(in: limits.writeStallTimeout) {
            channel.close(promise: nil)
        }
        let written = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: written)
        written.futureResult.assumeIsolated().whenComplete { _ in
            stalled.cancel()
            channel.close(mode: .output, promise: nil)
            let lingering = loop.scheduleTask(in: limits.lingerTimeout) {
                channel.close(promise: nil)
            }
            channel.closeFuture.assumeIsolated().whenComplete { _ in lingering.cancel() }
        }
    }

    // MARK: Time

    private func scheduleTick() {
        guard let context else { return }
        tick = context.eventLoop.assumeIsolated().scheduleTask(in: tickInterval) { [self] in
            guard tick != nil else { return }
            scheduleTick()
            checkTime(.now())
        }
    }

    private func checkTime(_ now: NIODeadline) {
        session.tick(now: now)
        if let unwritableSince, now - unwritableSince >= session.limits.writeStallTimeout {
            abandon(.timeout)
            return
        }
        if session.isDirty || session.failure != nil { flush() }
        guard let keepalive, session.hasSettings else { return }
        if let keepaliveSentAt {
            if now - keepaliveSentAt >= keepalive.timeout { abandon(.timeout) }
        } else if now - session.receivedAt >= keepalive.interval {
            keepaliveSentAt = now
            session.ping { _ in }
        }
    }

    /// The peer is dead: nobody would read a GOAWAY.
    private func abandon(_ reason: HTTPStreamError) {
        finish(reason)
        context?.close(promise: nil)
    }
}
