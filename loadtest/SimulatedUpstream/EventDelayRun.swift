import Foundation
import NIOCore
import NIOPosix

/// Reads stamped streams and tells how long their events took: from the write in the simulated
/// upstream to the read here, through whatever stands between. Confined to one event loop.
///
///     connecting, all streams within half the warm-up ──> warming up ──> measuring ──> finished
package final class EventDelayRun {
    package struct Configuration: Sendable {
        package var host: String
        package var port: Int
        package var model: String
        package var streams = 100
        package var warmUpSeconds = 2.0
        package var seconds = 10.0
        /// Ends it earlier, when so many events have come and each stream had one; nil: never.
        package var events: Int?
        /// Enough that no stream ends before the measurement does.
        package var maxTokens = 1_000_000

        package init(host: String, port: Int, model: String) {
            self.host = host
            self.port = port
            self.model = model
        }
    }

    /// Times in microseconds.
    package struct Report: Sendable, Codable {
        package struct Times: Sendable, Codable {
            package var count: Int
            package var mean: Double
            package var p50: Double
            package var p90: Double
            package var p99: Double
            package var p999: Double
            package var max: Double
        }

        package var streams: Int
        /// Streams that delivered events while it was measured.
        package var delivering: Int
        /// Streams that could not be opened, were refused or ended.
        package var failed: Int
        package var errorSample: String?
        package var seconds: Double
        package var eventsPerSecond: Double
        package var delay: Times?
        /// How late a timer of this process was: what the machine and the process itself add.
        package var timerDelay: Times?
        package var ownCPUSeconds: Double
    }

    private enum Phase { case warmingUp, measuring, finished }

    private let configuration: Configuration
    private let loop: any EventLoop
    private let result: EventLoopPromise<Report>
    private let began: @Sendable () -> Void
    private var phase = Phase.warmingUp
    private var channels: [any Channel] = []
    private var delays: [UInt32] = []
    private var timerDelays: [UInt32] = []
    private var delivering = 0
    private var failed = 0
    private var errorSample: String?
    private var start: UInt64 = 0
    private var ownCPUSeconds = 0.0
    private var ending: Scheduled<Void>?

    var isMeasuring: Bool { phase == .measuring }

    static var now: UInt64 { NIODeadline.now().uptimeNanoseconds }

    private static var cpuSeconds: Double { Double(clock()) / Double(CLOCKS_PER_SEC) }

    private init(
        _ configuration: Configuration, on loop: any EventLoop,
        _ result: EventLoopPromise<Report>, began: @escaping @Sendable () -> Void
    ) {
        self.configuration = configuration
        self.loop = loop
        self.result = result
        self.began = began
    }

    /// Calls `began` when the measurement does.
    package static func perform(
        _ configuration: Configuration, began: @escaping @Sendable () -> Void
    ) async throws -> Report {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let result = loop.makePromise(of: Report.self)
        loop.execute { EventDelayRun(configuration, on: loop, result, began: began).open() }
        return try await result.futureResult.get()
    }

    private func open() {
        let gap = configuration.warmUpSeconds / 2 / Double(configuration.streams)
        let now = NIODeadline.now()
        for index in 0..<configuration.streams {
            let due = now + .nanoseconds(Int64(gap * Double(index) * 1e9))
            loop.assumeIsolated().scheduleTask(deadline: due) { self.connect() }
        }
        let due = now + .nanoseconds(Int64(configuration.warmUpSeconds * 1e9))
        loop.assumeIsolated().scheduleTask(deadline: due) { self.measure() }
    }

    private func connect() {
        let run = NIOLoopBound(self, eventLoop: loop)
        let connecting = ClientBootstrap(group: loop)
            .connectTimeout(.seconds(10))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        EventStream(run.value, run.value.request))
                }
            }
            .connect(host: configuration.host, port: configuration.port)
        connecting.assumeIsolated().whenComplete { outcome in
            switch outcome {
            case .success(let channel): self.channels.append(channel)
            case .failure(let error): self.failedStream("connect: \(error)")
            }
        }
    }

    private var request: ByteBuffer {
        let body =
            "{\"model\":\"\(configuration.model)\",\"messages\":[{\"role\":\"user\","
            + "\"content\":\"Tell me a long story.\"}],\"stream\":true,"
            + "\"max_tokens\":\(configuration.maxTokens)}"
        return ByteBuffer(
            string: "POST /v1/chat/completions HTTP/1.1\r\n"
                + "host: \(configuration.host):\(configuration.port)\r\n"
                + "content-type: application/json\r\naccept: text/event-stream\r\n"
                + "authorization: Bearer none\r\n"
                + "content-length: \(body.utf8.count)\r\n\r\n\(body)")
    }

    private func measure() {
        phase = .measuring
        start = Self.now
        ownCPUSeconds = Self.cpuSeconds
        began()
        watchTimer()
        ending = loop.assumeIsolated().scheduleTask(
            in: .nanoseconds(Int64(configuration.seconds * 1e9))
        ) { self.finish() }
    }

    private func finish() {
        phase = .finished
        let seconds = Double(Self.now - start) / 1e9
        let report = Report(
            streams: configuration.streams, delivering: delivering, failed: failed,
            errorSample: errorSample, seconds: seconds,
            eventsPerSecond: Double(delays.count) / seconds, delay: Self.times(&delays),
            timerDelay: Self.times(&timerDelays),
            ownCPUSeconds: Self.cpuSeconds - ownCPUSeconds)
        for channel in channels { channel.close(promise: nil) }
        ending?.cancel()
        result.succeed(report)
    }

    private func watchTimer() {
        let due = Self.now + 5_000_000
        loop.assumeIsolated().scheduleTask(deadline: .uptimeNanoseconds(due)) {
            guard self.phase == .measuring else { return }
            let now = Self.now
            self.timerDelays.append(Self.clamped(now > due ? now - due : 0))
            self.watchTimer()
        }
    }

    // MARK: What streams tell

    func arrived(_ stamp: UInt64, now: UInt64) {
        delays.append(Self.clamped(now > stamp ? now - stamp : 0))
        if let events = configuration.events, delays.count >= events,
            delivering == configuration.streams
        {
            finish()
        }
    }

    func delivered() { delivering += 1 }

    func failedStream(_ why: String) {
        guard phase != .finished else { return }
        failed += 1
        errorSample = errorSample ?? String(why.prefix(300))
    }

    /// Nanoseconds, 4.2 s at most.
    private static func clamped(_ nanoseconds: UInt64) -> UInt32 {
        UInt32(min(nanoseconds, UInt64(UInt32.max)))
    }

    private static func times(_ values: inout [UInt32]) -> Report.Times? {
        guard !values.isEmpty else { return nil }
        values.sort()
        func at(_ share: Double) -> Double {
            Double(values[min(values.count - 1, Int(Double(values.count) * share))]) / 1e3
        }
        let sum = values.reduce(0.0) { $0 + Double($1) }
        return .init(
            count: values.count, mean: sum / Double(values.count) / 1e3, p50: at(0.5),
            p90: at(0.9), p99: at(0.99), p999: at(0.999), max: at(1))
    }
}

/// One stream of an `EventDelayRun`. Reads bytes, not HTTP: a stamp cut by a chunk's boundary is
/// missed, none is misread.
private final class EventStream: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let run: EventDelayRun
    private let request: ByteBuffer
    private var stamp = EventStamp()
    private var isAccepted = false
    private var hasDelivered = false
    private var hasFailed = false

    init(_ run: EventDelayRun, _ request: ByteBuffer) {
        self.run = run
        self.request = request
    }

    func channelActive(context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(request), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        if !isAccepted {
            // A status line comes in one piece.
            let text = String(buffer: bytes)
            guard text.hasPrefix("HTTP/1.1 200") else { return fail(context, text) }
            isAccepted = true
        }
        let now = EventDelayRun.now
        stamp.scan(bytes.readableBytesUInt8Span) { written in
            guard run.isMeasuring else { return }
            if !hasDelivered { run.delivered() }
            hasDelivered = true
            run.arrived(written, now: now)
        }
    }

    func channelInactive(context: ChannelHandlerContext) { fail(context, "connection closed") }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(context, "\(error)")
    }

    private func fail(_ context: ChannelHandlerContext, _ why: String) {
        guard !hasFailed else { return }
        hasFailed = true
        run.failedStream(why)
        context.close(promise: nil)
    }
}
