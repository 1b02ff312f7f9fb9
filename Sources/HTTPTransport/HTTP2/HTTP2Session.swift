import CNGHTTP2
import NIOCore

/// One HTTP/2 connection without its socket: bytes in through `receive`, bytes out through
/// `produce`, time as an argument. Owned by the connection's event loop.
///
/// Reading never writes: whatever has something to send marks the session dirty, once, and the
/// owner calls `produce` when it sees fit. Streams live in a slab; libnghttp2 holds slot numbers
/// instead of pointers. Streams hold the session until they close, so the owner must call `finish`.
@safe
final class HTTP2Session {
    enum Role {
        case server(any HTTPService, refusalBody: HTTPRefusal.Body)
        case client(waitingStreams: Int)
    }

    /// Where a server's or client's end of life stands.
    enum Drain {
        case no
        /// The shutdown notice is out; the final GOAWAY follows on its PING's answer, or later.
        case noticed(at: NIODeadline)
        case final
    }

    let connection: HTTPConnectionContext
    let limits: HTTPLimits
    let role: Role
    let isServer: Bool
    let raw: OpaquePointer
    let shutdownPing: UInt64 = .max

    /// Called when output appears after there was none.
    var becameDirty: () -> Void = {}
    /// A client's connection has the peer's first SETTINGS.
    var settingsReceived: () -> Void = {}
    var isDirty = false

    var now: NIODeadline
    var meter: HTTP2FrameMeter
    var block = HTTP2HeaderBlock(streamID: 0)
    var encoder = HTTP2FieldEncoder()
    var date = HTTPDate()
    var lastNewStreamID: Int32 = 0
    /// Streams that we reset lately: their late HEADERS are no violation (RFC 9113 §5.1).
    var resetStreamIDs: [Int32] = []

    var slab: [HTTP2Stream?] = []
    var freeSlots: [Int] = []
    var openStreams: Int { slab.count - freeSlots.count }

    // Client.
    var waiting: [HTTP2Stream] = []
    var pings: [UInt64: (Result<TimeAmount, HTTPStreamError>) -> Void] = [:]
    var pingTimes: [UInt64: NIODeadline] = [:]
    var pingCount: UInt64 = 0
    var isGoneAway = false
    var hasSettings = false

    /// Closed by `cutOff` before they had an id; told in `produce`, not inside of the reset.
    var cutWhileWaiting: [HTTP2Stream] = []

    var drain = Drain.no
    /// Why the connection ends early.
    var failure: HTTPStreamError?
    /// libnghttp2 cannot go on.
    var isBroken = false
    var pendingTermination: HTTP2ErrorCode?
    var isReceiving = false
    var isProducing = false

    var headSince: NIODeadline?
    var idleSince: NIODeadline
    var receivedAt: NIODeadline

    /// The buffer under `receive`, and where it lies.
    var input: ByteBuffer?
    var inputBase: UnsafeRawPointer?
    var outgoing = ByteBuffer()
    var outgoingHint = 512

    init(
        role: Role, connection: HTTPConnectionContext, limits: HTTPLimits, now: NIODeadline
    ) {
        self.role = role
        self.connection = connection
        self.limits = limits
        self.now = now
        idleSince = now
        receivedAt = now
        headSince = now
        if case .server = role { isServer = true } else { isServer = false }
        meter = HTTP2FrameMeter(
            counters: HTTP2FloodCounters(limits: limits, now: now), readsPreface: isServer,
            maxBlockBytes: limits.headerBytesBeforeDisconnect)
        unsafe raw = Self.makeRaw(isServer: isServer, limits: limits)
        unsafe nghttp2_session_set_user_data(raw, Unmanaged.passUnretained(self).toOpaque())
        submitSettings()
    }

    deinit {
        // Does not call on_stream_close; `finish` has told the streams.
        unsafe nghttp2_session_del(raw)
    }

    private static func makeRaw(isServer: Bool, limits: HTTPLimits) -> OpaquePointer {
        var options: OpaquePointer?
        var session: OpaquePointer?
        guard unsafe nghttp2_option_new(&options) == 0, let options = unsafe options else {
            fatalError("out of memory")
        }
        defer { unsafe nghttp2_option_del(options) }
        unsafe nghttp2_option_set_no_auto_window_update(options, 1)
        unsafe nghttp2_option_set_no_closed_streams(options, 1)
        // Our own counter replaces this one, which gives no credit for streams that end well.
        unsafe nghttp2_option_set_stream_reset_rate_limit(options, 1 << 32, 1 << 32)
        let table = unsafe HTTP2Callbacks.table
        // Both return 0 or NGHTTP2_ERR_NOMEM.
        let result =
            isServer
            ? unsafe nghttp2_session_server_new2(&session, table, nil, options)
            : unsafe nghttp2_session_client_new2(&session, table, nil, options)
        guard result == 0, let session = unsafe session else { fatalError("out of memory") }
        return unsafe session
    }

    private func submitSettings() {
        let advertised = UInt32(clamping: limits.advertisedConcurrentStreams)
        let window = UInt32(clamping: min(limits.streamWindowBytes, Int(Int32.max)))
        let list = UInt32(clamping: limits.headerBytes)
        var entries = [
            setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window),
            setting(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, list),
        ]
        if isServer {
            entries.append(setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, advertised))
        } else {
            entries.append(setting(NGHTTP2_SETTINGS_ENABLE_PUSH, 0))
        }
        // 0 or NGHTTP2_ERR_INVALID_ARGUMENT, NOMEM, TOO_MANY_INFLIGHT_SETTINGS: ours are valid.
        check(unsafe nghttp2_submit_settings(raw, 0, entries, entries.count))
        let connectionWindow = Int32(clamping: limits.connectionWindowBytes)
        check(unsafe nghttp2_session_set_local_window_size(raw, 0, 0, connectionWindow))
        markDirty()
    }

    private func setting(_ id: nghttp2_settings_id, _ value: UInt32) -> nghttp2_settings_entry {
        nghttp2_settings_entry(settings_id: Int32(id.rawValue), value: value)
    }

    /// Traps on out-of-memory, which libnghttp2 cannot survive; other codes say that the stream or
    /// the session is already closing, which its callbacks report.
    @discardableResult
    func check(_ result: Int32) -> Int32 {
        if result == NGHTTP2_ERR_NOMEM.rawValue { fatalError("out of memory") }
        return result
    }

    func markDirty() {
        guard !isDirty else { return }
        isDirty = true
        becameDirty()
    }

    func markDirtyIfWanted() {
        if unsafe nghttp2_session_want_write(raw) != 0 { markDirty() }
    }

    /// Nothing will be received or sent any more: flush what `produce` gave and close.
    var isFinished: Bool {
        if isBroken { return true }
        return unsafe nghttp2_session_want_read(raw) == 0
            && nghttp2_session_want_write(raw) == 0
    }

    // MARK: Bytes in

    /// Takes bytes from the peer and calls services and receivers for what they complete.
    func receive(_ bytes: ByteBuffer, now: NIODeadline) {
        guard !isBroken, failure == nil else { return }
        precondition(!isReceiving && !isProducing, "receive is not reentrant")
        self.now = now
        receivedAt = now
        meter.counters.advance(to: now)
        if let code = meter.scan(bytes.readableBytesUInt8Span) {
            terminate(code, code == .enhanceYourCalm ? .flood : .protocolViolation)
            return
        }
        isReceiving = true
        input = bytes
        let result = unsafe bytes.withUnsafeReadableBytes { pointer in
            unsafe inputBase = pointer.baseAddress
            // The count, or FLOODED, BAD_CLIENT_MAGIC, CALLBACK_FAILURE, NOMEM: all fatal.
            return unsafe nghttp2_session_mem_recv(
                raw, pointer.baseAddress?.assumingMemoryBound(to: UInt8.self), pointer.count)
        }
        unsafe inputBase = nil
        input = nil
        isReceiving = false
        if result < 0 {
            if result == Int(NGHTTP2_ERR_NOMEM.rawValue) { fatalError("out of memory") }
            let isFlood = result == Int(NGHTTP2_ERR_FLOODED.rawValue)
            failure = isFlood ? .flood : .protocolViolation
            isBroken = true
            markDirty()
            return
        }
        terminateIfPending()
        if meter.isInsideHead { headSince = headSince ?? now } else { headSince = nil }
        markDirtyIfWanted()
    }

    /// Ends the connection with GOAWAY. Output that is already queued may be lost.
    func terminate(_ code: HTTP2ErrorCode, _ reason: HTTPStreamError) {
        guard failure == nil else { return }
        failure = reason
        // 0 or NOMEM.
        check(unsafe nghttp2_session_terminate_session(raw, code.rawValue))
        markDirty()
    }

    /// What a callback decided and could not do from inside of libnghttp2.
    func terminateIfPending() {
        guard let code = pendingTermination else { return }
        pendingTermination = nil
        terminate(code, code == .enhanceYourCalm ? .flood : .protocolViolation)
    }

    // MARK: Bytes out

    /// Everything that may be sent now, in frames, up to about `limit` bytes (one frame more at
    /// most). Empty: nothing to send.
    func produce(limit: Int, now: NIODeadline) -> ByteBuffer {
        precondition(!isReceiving && !isProducing, "produce is not reentrant")
        self.now = now
        isDirty = false
        closeCutStreams()
        guard !isBroken else { return ByteBuffer() }
        isProducing = true
        outgoing = ByteBufferAllocator().buffer(capacity: outgoingHint)
        var isMore = true
        while isMore {
            var frame: UnsafePointer<UInt8>?
            // Bytes, 0, or CALLBACK_FAILURE, NOMEM.
            let count = unsafe nghttp2_session_mem_send(raw, &frame)
            if count < 0 {
                if count == Int(NGHTTP2_ERR_NOMEM.rawValue) { fatalError("out of memory") }
                failure = failure ?? .connectionClosed
                isBroken = true
            }
            if count > 0 {
                unsafe outgoing.writeBytes(UnsafeRawBufferPointer(start: frame, count: count))
            }
            isMore = count > 0 && outgoing.readableBytes < limit
        }
        isProducing = false
        terminateIfPending()
        let result = outgoing
        outgoing = ByteBuffer()
        outgoingHint = min(max(512, result.readableBytes), 65_536)
        if result.readableBytes >= limit { markDirtyIfWanted() }
        return result
    }

    /// The next DATA payload of a stream: how much, and whether it is the last.
    func nextData(slot: Int, streamID: Int32, limit: Int) -> (count: Int, flags: UInt32) {
        guard let stream = slab[slot], stream.id == streamID else {
            return (Int(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue), 0)
        }
        let unsent = stream.unsentBytes
        let count = min(unsent, limit)
        if count == 0 && !stream.isOutputEnded {
            stream.isDeferred = true
            return (Int(NGHTTP2_ERR_DEFERRED.rawValue), 0)
        }
        var flags = NGHTTP2_DATA_FLAG_NO_COPY.rawValue
        if count == unsent && stream.isOutputEnded {
            flags |= NGHTTP2_DATA_FLAG_EOF.rawValue
            if let trailers = stream.takeTrailers() {
                flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue
                submitTrailers(trailers, streamID: streamID)
            }
        }
        return (count, flags)
    }

    /// Writes one DATA frame of a stream behind what `produce` has collected so far.
    func writeData(header: UnsafeRawBufferPointer, count: Int, slot: Int) {
        unsafe outgoing.writeBytes(header)
        guard count > 0, let stream = slab[slot] else { return }
        stream.moveOutput(count, into: &outgoing)
        stream.progressAt = now
        meter.counters.sentData()
        stream.outputMoved()
    }

    /// A frame will not be sent. A head or trailer that is too large (64 KiB) must not leave its
    /// stream waiting for ever; a client's request is closed by libnghttp2 itself.
    func couldNotSend(_ header: nghttp2_frame_hd) {
        guard isServer, header.type == HTTP2FrameType.headers else { return }
        stream(header.stream_id)?.cutOff(.headersTooLarge, .internalError)
    }

    /// A frame is on its way.
    func sentFrame(_ frame: UnsafePointer<nghttp2_frame>) {
        let header = unsafe frame.pointee.hd
        switch header.type {
        case HTTP2FrameType.data, HTTP2FrameType.headers:
            guard header.flags & 0x1 != 0, let stream = stream(header.stream_id) else { return }
            stream.isLocalEnded = true
            // The rest of the request is not wanted (RFC 9113 §8.1). A short one is let come: stock
            // clients (curl 7.88) that meet the reset while they send lose the answer.
            if isServer && !stream.isRemoteEnded {
                if stream.receivedBytes > limits.bodyBytes {
                    submitRawReset(header.stream_id, .noError)
                } else {
                    stream.answeredEarlyAt = now
                }
            }
        case HTTP2FrameType.resetStream:
            let id = header.stream_id
            guard isServer, !resetStreamIDs.contains(id) else { return }
            remember(reset: id)
            if let stream = stream(id), stream.cutReason != nil || stream.isLocalEnded { return }
            if !meter.counters.provokedReset() { pendingTermination = .enhanceYourCalm }
        default: break
        }
    }
}
