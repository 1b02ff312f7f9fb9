import GRPC
import HTTPTransport
import NIOCore

/// One request and its answer, with the instants that matter. Owned by the run's event loop.
final class LoadStream {
    enum Purpose { case warmUp, measured, probe }

    private enum Transport {
        case http(HTTPClientStream)
        case grpc(GRPCClientCall)
    }

    let purpose: Purpose
    /// When the request should have begun, by schedule: latencies count from here. Nanoseconds of
    /// the monotonic clock, as all instants here.
    let intendedStart: UInt64
    let work: StreamWork
    /// The place in the run's list of active streams.
    var index = -1
    /// Sent a second time, since a kept-alive connection was closed under the first.
    var isRetry = false
    /// Reset by the generator for taking too long.
    private(set) var isTimedOut = false
    private var isReset = false
    /// Given up by the scenario.
    private(set) var isCancelled = false

    private(set) var status = 0
    private(set) var firstDelta: UInt64?
    private(set) var lastDelta: UInt64 = 0
    /// The longest gap between two deltas, ns.
    private(set) var longestGap: UInt64 = 0
    private(set) var end: UInt64?
    private(set) var bodyBytes = 0
    /// The beginning of an answer that is not 200, for the report.
    var errorBody: String { String(decoding: errorBytes, as: UTF8.self) }
    private var errorBytes: [UInt8] = []
    static let errorBodyBytesMax = 300
    /// `UNAVAILABLE` or `RESOURCE_EXHAUSTED`, told by the server.
    private var isShedByGRPC = false

    private let run: LoadRun
    private var events = SSEScanner()
    private var chunks = XAIChunkScanner()
    private var connection: LoadConnection?
    private var transport: Transport?
    private var pace: ReadingPace?
    private var cancellation: Scheduled<Void>?

    init(run: LoadRun, purpose: Purpose, intendedStart: UInt64, work: StreamWork) {
        self.run = run
        self.purpose = purpose
        self.intendedStart = intendedStart
        self.work = work
        events.keepsText = work.keepsText
        chunks.keepsText = work.keepsText
        pace = work.pace.map(ReadingPace.init)
    }

    var tally: AnswerTally { work.encoding == .json ? events.tally : chunks.tally }
    /// Whether the client itself holds the answer up, so that gaps are not the server's.
    var isSlowReader: Bool { work.pace != nil }

    /// Sends the request over `connection`.
    func attach(_ connection: LoadConnection) {
        // Reset while it waited for a connection.
        guard !isReset else {
            run.released(connection)
            return closed(.resetLocally(code: 0))
        }
        self.connection = connection
        do {
            switch connection.link {
            case .http1(let link):
                send(try link.open(head(connection), end: work.body == nil, receiver: self))
            case .http2(let link) where work.encoding == .json:
                send(try link.open(head(connection), end: work.body == nil, receiver: self))
            case .http2(let link):
                try call(link, run.target(connection.target).authority)
            }
        } catch let error as HTTPStreamError {
            return closed(error)
        } catch {
            return closed(error as? GRPCStatus ?? GRPCStatus(.unknown), trailers: GRPCMetadata())
        }
        if case .afterMilliseconds(let milliseconds)? = work.cancel {
            cancellation = run.loop.assumeIsolated().scheduleTask(
                in: .nanoseconds(Int64(milliseconds * 1e6))
            ) { [weak self] in self?.cancel() }
        }
    }

    private func head(_ connection: LoadConnection) -> HTTPRequestHead {
        var head = run.head(class: work.traffic, target: connection.target)
        if case .http1 = connection.link, let body = work.body {
            head.fields.append("content-length", "\(body.readableBytes)")
        }
        return head
    }

    private func send(_ stream: HTTPClientStream) {
        transport = .http(stream)
        if let body = work.body { stream.send(body, end: true) }
    }

    private func call(_ link: HTTP2ClientConnection, _ authority: String) throws(GRPCStatus) {
        let call = try GRPCClientCall.start(
            XAIRequestBody.path, on: link, authority: authority,
            metadata: run.metadata(class: work.traffic), consumesManually: pace != nil,
            receiver: self)
        transport = .grpc(call)
        call.send(work.body ?? ByteBuffer(), end: true)
    }

    /// Ends it; the run hears of it by `ended`, perhaps inside this call.
    func reset(timedOut: Bool) {
        isReset = true
        isTimedOut = timedOut
        switch transport {
        case .http(let stream): stream.reset(.cancel)
        case .grpc(let call): call.cancel()
        case nil: break
        }
    }

    private func cancel() {
        guard end == nil, !isTimedOut else { return }
        isCancelled = true
        reset(timedOut: false)
    }

    /// What is known of it `now`; `failure` as of `StreamFailure`.
    func outcome(failure: String?, at now: UInt64) -> RequestOutcome {
        let tally = tally
        var outcome = RequestOutcome(intended: intendedStart, end: end ?? now)
        outcome.first = firstDelta
        outcome.longestGap = isSlowReader ? 0 : longestGap
        outcome.failure = failure
        outcome.failureSample = failure == nil ? "" : errorBody
        outcome.wasShed = isShedByGRPC || [429, 503, 529].contains(status)
        outcome.wasCancelled = isCancelled
        outcome.bodyBytes = bodyBytes
        outcome.deltas = tally.deltas
        outcome.outputTokens = tally.completionTokens ?? tally.deltas
        outcome.promptTokens = tally.promptTokens ?? 0
        outcome.cachedTokens = tally.cachedTokens ?? 0
        outcome.finish = tally.finish
        return outcome
    }

    private func received(deltas: Int) {
        let now = LoadRun.now
        if firstDelta == nil {
            firstDelta = now
            lastDelta = now
            run.startedOutput(self, now: now)
            stall()
        } else {
            run.recordGap(of: self, from: lastDelta, to: now)
            longestGap = max(longestGap, now - lastDelta)
        }
        // Further deltas of the same read arrived with the first.
        for _ in 1..<max(1, deltas) { run.recordGap(of: self, from: now, to: now) }
        run.delivered(deltas, by: self, now: now)
        lastDelta = now
        if case .afterTokens(let count)? = work.cancel, tally.deltas >= count { cancel() }
    }

    private func ended(_ end: StreamEnd) {
        cancellation?.cancel()
        cancellation = nil
        transport = nil
        if let connection {
            self.connection = nil
            run.released(connection)
        }
        run.ended(self, end)
    }

    // MARK: Reading

    /// Gives the server room for `bytes` more, now or when the reader has read them.
    private func consume(_ bytes: Int) {
        guard pace != nil else {
            if case .http(let stream)? = transport { stream.consume(bytes) }
            return
        }
        pace?.withheldBytes += bytes
        if pace?.isHolding == false { readOn() }
    }

    /// A reader that stalls does so behind its first token.
    private func stall() {
        guard let seconds = pace?.stallSeconds else { return }
        pace?.stallSeconds = nil
        pace?.isHolding = true
        run.loop.assumeIsolated().scheduleTask(in: .nanoseconds(Int64(seconds * 1e9))) {
            [weak self] in
            self?.pace?.isHolding = false
            self?.readOn()
        }
    }

    private func readOn() {
        guard let pace, pace.withheldBytes > 0, transport != nil else { return }
        guard let rate = pace.bytesPerSecond else { return give(pace.withheldBytes) }
        self.pace?.isHolding = true
        // A message of gRPC is given back whole, other bytes in small pieces.
        var piece = min(pace.withheldBytes, max(1, Int(rate * ReadingPace.pieceSeconds)))
        if work.encoding == .xai { piece = pace.withheldBytes }
        let delay = Int64(min(Double(piece) / rate, 3_600) * 1e9)
        run.loop.assumeIsolated().scheduleTask(in: .nanoseconds(delay)) { [weak self] in
            self?.pace?.isHolding = false
            self?.give(piece)
            self?.readOn()
        }
    }

    private func give(_ bytes: Int) {
        pace?.withheldBytes -= bytes
        switch transport {
        case .http(let stream): stream.consume(bytes)
        case .grpc(let call): call.consume()
        case nil: break
        }
    }
}

// MARK: - OpenAI's chat completions

extension LoadStream: HTTPClientStreamReceiver {
    func received(_ head: HTTPResponseHead) {
        status = head.status
        if let queue = ServerTiming.queueNanoseconds(head.fields) { run.admitted(self, queue) }
    }

    func received(_ bytes: ByteBuffer) {
        guard !isCancelled else { return }
        bodyBytes += bytes.readableBytes
        if status != 200 {
            let room = Self.errorBodyBytesMax - errorBytes.count
            errorBytes += bytes.readableBytesView.prefix(room)
        } else if work.isChat {
            let deltas = events.scan(bytes.readableBytesUInt8Span)
            if deltas > 0 { received(deltas: deltas) }
        }
        consume(bytes.readableBytes)
    }

    func receivedEnd(trailers: HTTPFields?) {
        end = LoadRun.now
    }

    func closed(_ error: HTTPStreamError?) {
        ended(.http(error))
    }

    func writabilityChanged(_ isWritable: Bool) {}
}

// MARK: - xAI's gRPC

extension LoadStream: GRPCClientCallReceiver {
    func received(initialMetadata: GRPCMetadata) {
        status = 200
        if let queue = ServerTiming.queueNanoseconds(initialMetadata.fields) {
            run.admitted(self, queue)
        }
    }

    func received(message: ByteBuffer) {
        guard !isCancelled else { return }
        bodyBytes += message.readableBytes
        do {
            let deltas = try chunks.scan(message.readableBytesUInt8Span)
            if deltas > 0 { received(deltas: deltas) }
        } catch {
            guard case .grpc(let call)? = transport else { return }
            return call.fail(GRPCStatus(.dataLoss, "no completion's chunk"))
        }
        consume(message.readableBytes)
    }

    func closed(_ status: GRPCStatus, trailers: GRPCMetadata) {
        end = LoadRun.now
        if !status.isOK {
            errorBytes = Array(status.description.utf8.prefix(Self.errorBodyBytesMax))
            isShedByGRPC =
                status.origin == .peer
                && (status.code == .unavailable || status.code == .resourceExhausted)
        }
        ended(.grpc(status))
    }
}
