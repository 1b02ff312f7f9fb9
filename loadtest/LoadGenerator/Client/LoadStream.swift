import HTTPTransport
import NIOCore

/// One request and its answer, with the instants that matter. Owned by the run's event loop.
final class LoadStream: HTTPClientStreamReceiver {
    enum Purpose { case warmUp, measured, probe }

    enum Transport {
        case http1(HTTP1ClientConnection)
        case http2(HTTP2ClientConnection, HTTPClientStream?)
    }

    let purpose: Purpose
    /// When the request should have begun, by schedule: latencies count from here. Nanoseconds of
    /// the monotonic clock, as all instants here.
    let intendedStart: UInt64
    /// Whether the answer is a stream of events, to be scanned.
    let isChat: Bool
    /// The place in the run's list of active streams.
    var index = -1
    /// The request's body, kept for a second try.
    var body: ByteBuffer?
    /// Sent a second time, since a kept-alive connection was closed under the first.
    var isRetry = false
    /// Reset by the generator for taking too long.
    private(set) var isTimedOut = false

    private(set) var status = 0
    private(set) var scanner = SSEScanner()
    private(set) var firstDelta: UInt64?
    private(set) var lastDelta: UInt64 = 0
    /// The longest gap between two deltas, ns.
    private(set) var longestGap: UInt64 = 0
    private(set) var end: UInt64?
    private(set) var bodyBytes = 0
    /// The beginning of an answer that is not 200, for the report.
    private(set) var errorBody = ""
    private static let errorBodyBytesMax = 300

    private let run: LoadRun
    private var transport: Transport?

    init(run: LoadRun, purpose: Purpose, intendedStart: UInt64, isChat: Bool) {
        self.run = run
        self.purpose = purpose
        self.intendedStart = intendedStart
        self.isChat = isChat
    }

    /// Sends the request over `transport`.
    func attach(_ transport: Transport, _ head: HTTPRequestHead, _ body: ByteBuffer?) {
        switch transport {
        case .http1(let connection):
            self.transport = transport
            connection.open(head, body: body, receiver: self)
        case .http2(let connection, _):
            do {
                let stream = try connection.open(head, end: body == nil, receiver: self)
                self.transport = .http2(connection, stream)
                if let body { stream.send(body, end: true) }
            } catch {
                closed(error)
            }
        }
    }

    func reset(timedOut: Bool) {
        isTimedOut = timedOut
        switch transport {
        case .http1(let connection): connection.close()
        case .http2(_, let stream): stream?.reset(.cancel)
        case nil: break
        }
    }

    /// What is known of it `now`; `failure` as of `StreamFailure`.
    func outcome(failure: String?, at now: UInt64) -> RequestOutcome {
        var outcome = RequestOutcome(intended: intendedStart, end: end ?? now)
        outcome.first = firstDelta
        outcome.longestGap = longestGap
        outcome.failure = failure
        outcome.failureSample = failure == nil ? "" : errorBody
        outcome.status = status
        outcome.wasShed = [429, 503, 529].contains(status)
        outcome.bodyBytes = bodyBytes
        outcome.deltas = scanner.deltas
        outcome.outputTokens = scanner.completionTokens ?? scanner.deltas
        outcome.promptTokens = scanner.promptTokens ?? 0
        outcome.cachedTokens = scanner.cachedTokens ?? 0
        switch scanner.finish {
        case .stop: outcome.finish = .stop
        case .length: outcome.finish = .length
        case .other: outcome.finish = .other
        case nil: break
        }
        return outcome
    }

    // MARK: HTTPClientStreamReceiver

    func received(_ head: HTTPResponseHead) {
        status = head.status
    }

    func received(_ bytes: ByteBuffer) {
        bodyBytes += bytes.readableBytes
        if status != 200, errorBody.utf8.count < Self.errorBodyBytesMax {
            errorBody += String(buffer: bytes).prefix(Self.errorBodyBytesMax)
        } else if isChat {
            let deltas = scanner.scan(bytes.readableBytesUInt8Span)
            if deltas > 0 { received(deltas: deltas) }
        }
        if case .http2(_, let stream) = transport { stream?.consume(bytes.readableBytes) }
    }

    private func received(deltas: Int) {
        let now = LoadRun.now
        if firstDelta == nil {
            firstDelta = now
            lastDelta = now
            run.startedOutput(self, now: now)
        } else {
            run.recordGap(of: self, from: lastDelta, to: now)
            longestGap = max(longestGap, now - lastDelta)
        }
        // Further deltas of the same read arrived with the first.
        for _ in 1..<max(1, deltas) { run.recordGap(of: self, from: now, to: now) }
        run.delivered(deltas, by: self, now: now)
        lastDelta = now
    }

    func receivedEnd(trailers: HTTPFields?) {
        end = LoadRun.now
    }

    func closed(_ error: HTTPStreamError?) {
        transport = nil
        run.ended(self, error)
    }
}
