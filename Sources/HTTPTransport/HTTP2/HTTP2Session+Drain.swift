import CNGHTTP2
import NIOCore

// Graceful ends and time limits.

extension HTTP2Session {
    /// Announces the end (RFC 9113 §6.8): a notice first, so that requests in flight are still
    /// accepted; the final GOAWAY one round trip or a second later; then the connection ends with
    /// its last stream.
    func beginDrain(now: NIODeadline) {
        guard case .no = drain, failure == nil, !isBroken else { return }
        self.now = now
        if isServer {
            drain = .noticed(at: now)
            check(unsafe nghttp2_submit_shutdown_notice(raw))
            submitPing(shutdownPing)
        } else {
            failWaiting()
            sendFinalGoAway()
        }
        markDirty()
    }

    func sendFinalGoAway() {
        if case .final = drain { return }
        drain = .final
        let last = unsafe nghttp2_session_get_last_proc_stream_id(raw)
        check(unsafe nghttp2_submit_goaway(raw, 0, last, 0, nil, 0))
        markDirty()
    }

    /// Checks the time limits; call it a few times per shortest limit.
    func tick(now: NIODeadline) {
        guard failure == nil, !isBroken else { return }
        self.now = now
        meter.counters.advance(to: now)
        if let headSince, now - headSince >= limits.headerTimeout {
            terminate(.enhanceYourCalm, .timeout)
            return
        }
        if case .noticed(let at) = drain, now - at >= .seconds(1) { sendFinalGoAway() }
        guard isServer else { return }
        if openStreams == 0 {
            if now - idleSince >= limits.idleTimeout { beginDrain(now: now) }
            return
        }
        for stream in slab {
            if let stream, let at = stream.answeredEarlyAt, !stream.isRemoteEnded,
                now - at >= limits.lingerTimeout
            {
                stream.answeredEarlyAt = nil
                submitRawReset(stream.id, .noError)
                continue
            }
            if let stream, stream.unsentBytes > 0, stream.cutReason == nil,
                now - stream.progressAt >= limits.writeStallTimeout
            {
                stream.cutOff(.timeout, .cancel)
                continue
            }
            guard let stream, !stream.isRemoteEnded, !stream.isHeadSent,
                stream.cutReason == nil, now - stream.progressAt >= limits.bodyTimeout
            else { continue }
            stream.refuse(.timeout, .timeout)
        }
    }
}
