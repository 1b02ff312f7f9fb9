import HTTPTransport
import InferenceAPI
import Logging
import NIOCore

/// Posts spans to an OTLP collector over HTTP, in JSON, one batch at a time. Owned by the admin
/// loop: a slow collector delays neither requests nor tokens.
///
/// A batch that the collector cannot take now (no connection, 429, 502, 503, 504: OTLP's list) is
/// sent again after a pause that doubles; after `attemptsLimit` tries, and at any other refusal, it
/// is dropped and counted. Meanwhile new spans wait in the queue, which is bounded.
final class OTLPExporter {
    /// How often the queue is looked at.
    static let interval = TimeAmount.milliseconds(500)
    /// Spans of one request to the collector, about; those of one trace stay together.
    static let batchSpans = 512
    static let attemptsLimit = 5
    static let pauseInitial = TimeAmount.seconds(1)
    static let timeout = TimeAmount.seconds(10)
    /// How long the last spans may take when the gateway ends.
    static let lastTimeout = TimeAmount.seconds(3)

    private struct Batch {
        var body: ByteBuffer
        var spans: Int
        var attempts = 0
    }

    private let eventLoop: any EventLoop
    private let queue: SpanQueue
    private let address: UpstreamAddress
    private let encoder: OTLPEncoder
    private let connections: UpstreamConnections
    private let tls: HTTPClientTLS?
    private let logger: Logger
    private var batch: Batch?
    private var isSending = false
    private var notBefore = NIODeadline.now()
    private var wasFailing = false
    /// Set while the gateway ends.
    private var drained: (() -> Void)?

    init(
        _ settings: TracingSettings, queue: SpanQueue, instanceID: String,
        on eventLoop: any EventLoop, logger: Logger
    ) throws(TLSError) {
        self.eventLoop = eventLoop
        self.queue = queue
        self.logger = logger
        address = settings.endpoint.collector
        encoder = OTLPEncoder(serviceName: settings.serviceName, instanceID: instanceID)
        connections = UpstreamConnections(
            eventLoop: eventLoop, address: address, connectTimeout: Self.timeout)
        tls =
            address.scheme == .https
            ? HTTPClientTLS(
                context: try TLSClientContext(
                    authorityPath: nil, files: nil, protocols: ["http/1.1"]),
                serverName: address.serverName) : nil
    }

    /// Called every `interval`.
    func tick() {
        connections.sweep()
        guard !isSending, eventLoop.now >= notBefore else { return }
        if batch == nil {
            let traces = queue.take(spans: Self.batchSpans)
            guard !traces.isEmpty else { return finishDraining() }
            var body = ByteBuffer()
            encoder.write(traces, into: &body)
            batch = Batch(body: body, spans: traces.reduce(0) { $0 + $1.spans.count })
        }
        send()
    }

    /// Sends what waits, and calls back when it is sent, or its time is over.
    func drain(_ completion: @escaping () -> Void) {
        let deadline = eventLoop.assumeIsolated().scheduleTask(in: Self.lastTimeout) {
            self.giveUp()
            self.finishDraining()
        }
        drained = {
            deadline.cancel()
            completion()
        }
        notBefore = eventLoop.now
        tick()
    }

    private func finishDraining() {
        guard let drained else { return }
        self.drained = nil
        connections.close()
        drained()
    }

    private func send() {
        guard let body = batch?.body else { return }
        isSending = true
        batch?.attempts += 1
        OTLPPost.send(
            body, to: address, over: connections, tls: tls, on: eventLoop, timeout: Self.timeout
        ) { self.answered($0) }
    }

    private func answered(_ outcome: OTLPPost.Outcome) {
        isSending = false
        switch outcome {
        case .accepted(let rejected):
            queue.noteExported(max(0, (batch?.spans ?? 0) - rejected))
            queue.noteDropped(min(rejected, batch?.spans ?? 0))
            batch = nil
            if wasFailing { logger.notice("spans are exported again") }
            wasFailing = false
            // At once, while there is more than a batch.
            tick()
        case .later(let reason) where drained == nil:
            fail(reason)
            let attempts = batch?.attempts ?? 0
            if attempts >= Self.attemptsLimit { giveUp() }
            let pause = Self.pauseInitial * (1 << min(attempts - 1, 5))
            notBefore = eventLoop.now + pause
        case .later(let reason), .refused(let reason):
            fail(reason)
            giveUp()
            tick()
        }
    }

    private func giveUp() {
        guard let batch else { return }
        queue.noteDropped(batch.spans)
        self.batch = nil
    }

    private func fail(_ reason: String) {
        guard !wasFailing else { return }
        wasFailing = true
        logger.warning(
            "spans cannot be exported",
            metadata: ["endpoint": "\(address.text)", "reason": "\(reason)"])
    }
}

extension UpstreamAddress {
    /// Without the `/v1/traces` that some write behind a collector's address.
    fileprivate var collector: UpstreamAddress {
        var address = self
        if address.basePath.hasSuffix("/v1/traces") { address.basePath.removeLast(10) }
        return address
    }
}
