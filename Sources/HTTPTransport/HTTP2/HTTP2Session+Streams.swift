import CNGHTTP2
import NIOCore

// The slab of streams, and their ends.

extension HTTP2Session {
    func stream(_ id: Int32) -> HTTP2Stream? {
        guard id > 0 else { return nil }
        let data = unsafe nghttp2_session_get_stream_user_data(raw, id)
        guard let data = unsafe data else { return nil }
        let slot = Int(bitPattern: data) - 1
        // After `finish` libnghttp2 may still work on bytes that came with what caused it.
        guard slot < slab.count, let stream = slab[slot], stream.id == id else { return nil }
        return stream
    }

    func takeSlot() -> Int {
        if let slot = freeSlots.popLast() { return slot }
        slab.append(nil)
        return slab.count - 1
    }

    /// The stream is over for libnghttp2.
    func streamClosed(streamID: Int32, code: UInt32) {
        guard let stream = stream(streamID) else { return }
        slab[stream.slot] = nil
        freeSlots.append(stream.slot)
        if openStreams == 0 { idleSince = now }
        if !limits.replenishesConnectionWindowAtReception && stream.unconsumedBytes > 0 {
            check(unsafe nghttp2_session_consume_connection(raw, stream.unconsumedBytes))
        }
        let error = closeError(of: stream, code: code)
        if error == nil { meter.counters.streamEndedWell() }
        stream.closed(error)
        if !isServer { submitWaiting() }
    }

    func closeError(of stream: HTTP2Stream, code: UInt32) -> HTTPStreamError? {
        if let reason = stream.cutReason { return reason }
        if code == 0 {
            let isComplete = isServer ? stream.isLocalEnded : stream.isRemoteEnded
            return isComplete ? nil : .reset(code: 0)
        }
        if !isServer && code == HTTP2ErrorCode.refusedStream.rawValue { return .goneAway }
        if stream.isResetByPeer { return .reset(code: code) }
        return failure ?? .protocolViolation
    }

    func remember(reset streamID: Int32) {
        if resetStreamIDs.count == 256 { resetStreamIDs.removeFirst(128) }
        resetStreamIDs.append(streamID)
    }

    /// The transport is gone, or shall be: every stream gets its `closed`. Call it once.
    func finish(_ error: HTTPStreamError?) {
        let reason = failure ?? error ?? .connectionClosed
        failure = reason
        isBroken = true
        let streams = slab + waiting
        slab.removeAll()
        freeSlots.removeAll()
        waiting.removeAll()
        for stream in streams { stream?.closed(stream?.cutReason ?? reason) }
        closeCutStreams()
        let unanswered = pings
        pings.removeAll()
        for completion in unanswered.sorted(by: { $0.key < $1.key }) {
            completion.value(.failure(reason))
        }
    }

    func closeCutStreams() {
        guard !cutWhileWaiting.isEmpty else { return }
        let streams = cutWhileWaiting
        cutWhileWaiting.removeAll()
        for stream in streams { stream.closed(stream.cutReason) }
    }
}
