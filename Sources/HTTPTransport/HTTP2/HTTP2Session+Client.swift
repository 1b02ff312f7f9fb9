import CNGHTTP2
import NIOCore

// The client's side: opening streams within the peer's limit, PINGs.

extension HTTP2Session {
    /// Opens a stream, or lets it wait for the peer's limit.
    func open(
        _ head: HTTPRequestHead, end: Bool, receiver: any HTTPClientStreamReceiver
    ) throws(HTTPStreamError) -> HTTP2Stream {
        guard case .client(let waitingLimit) = role, canOpen else { throw .goneAway }
        let mustWait = !waiting.isEmpty || openStreams >= allowedStreams
        if mustWait && waiting.count >= waitingLimit { throw .tooManyStreams }
        let stream = HTTP2Stream(
            session: self, id: 0, slot: -1, isHeadRequest: head.method == "HEAD", now: now)
        stream.receiver = .client(receiver)
        stream.requestSubmitted(end: end)
        if mustWait {
            stream.waitingHead = head
            waiting.append(stream)
        } else if !submit(head, on: stream) {
            stream.session = nil
            throw .goneAway
        }
        return stream
    }

    /// New streams may be opened.
    var canOpen: Bool {
        guard case .no = drain else { return false }
        guard failure == nil, !isGoneAway, !isBroken else { return false }
        return unsafe nghttp2_session_check_request_allowed(raw) != 0
    }

    var streamCount: Int { openStreams + waiting.count }

    var allowedStreams: Int {
        let peers = unsafe nghttp2_session_get_remote_settings(
            raw, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS)
        return min(Int(peers), limits.concurrentStreams)
    }

    func submit(_ head: HTTPRequestHead, on stream: HTTP2Stream) -> Bool {
        let slot = takeSlot()
        encoder.reset()
        encoder.add(":method", head.method)
        encoder.add(":scheme", connection.isSecure ? "https" : head.scheme)
        encoder.add(":authority", head.authority)
        encoder.add(":path", head.path)
        _ = encoder.add(head.fields)
        let id = unsafe encoder.withPairs { pairs, count in
            var provider = unsafe HTTP2Callbacks.provider(slot: slot)
            let data = unsafe nghttp2_data_source(slot: slot)
            let isComplete =
                stream.isOutputEnded && stream.unsentBytes == 0
                && stream.trailers == nil
            // The new stream's id, or NOMEM, STREAM_ID_NOT_AVAILABLE, INVALID_ARGUMENT, PROTO.
            return isComplete
                ? unsafe nghttp2_submit_request(raw, nil, pairs, count, nil, data.ptr)
                : unsafe nghttp2_submit_request(raw, nil, pairs, count, &provider, data.ptr)
        }
        guard check(id) > 0 else {
            freeSlots.append(slot)
            return false
        }
        stream.id = id
        stream.slot = slot
        stream.waitingHead = nil
        stream.progressAt = now
        slab[slot] = stream
        markDirty()
        return true
    }

    func submitWaiting() {
        while canOpen, let stream = waiting.first, openStreams < allowedStreams {
            waiting.removeFirst()
            guard let head = stream.waitingHead else { continue }
            if !submit(head, on: stream) { stream.closed(.goneAway) }
        }
    }

    func failWaiting() {
        let streams = waiting
        waiting.removeAll()
        for stream in streams { stream.closed(.goneAway) }
    }

    /// Sends a PING; the completion gets the round trip's time.
    func ping(_ completion: @escaping (Result<TimeAmount, HTTPStreamError>) -> Void) {
        guard failure == nil, !isBroken else {
            completion(.failure(failure ?? .connectionClosed))
            return
        }
        pingCount += 1
        pings[pingCount] = completion
        pingTimes[pingCount] = now
        submitPing(pingCount)
    }

    func submitPing(_ number: UInt64) {
        let bytes = (0..<8).map { UInt8(truncatingIfNeeded: number >> UInt64(56 - 8 * $0)) }
        // 0, or NOMEM.
        check(unsafe nghttp2_submit_ping(raw, 0, bytes))
        markDirty()
    }

    func pingAnswered(
        _ data: (UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8)
    ) {
        let bytes = [data.0, data.1, data.2, data.3, data.4, data.5, data.6, data.7]
        let number = bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        if number == shutdownPing {
            sendFinalGoAway()
        } else if let completion = pings.removeValue(forKey: number) {
            let sentAt = pingTimes.removeValue(forKey: number) ?? now
            completion(.success(now - sentAt))
        }
    }
}
