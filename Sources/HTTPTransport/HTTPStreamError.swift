/// Why a stream (or the connection under it) ended early.
package enum HTTPStreamError: Error, Sendable, Hashable {
    /// The peer reset the stream; an RFC 9113 §7 error code. HTTP/1.1 reports
    /// `connectionClosed` instead.
    case reset(code: UInt32)
    /// We reset the stream ourselves, by `reset(_:)`.
    case resetLocally(code: UInt32)
    /// The connection went away under the stream. The peer may have seen the request.
    case connectionClosed
    /// The peer refused the stream before any processing (GOAWAY or REFUSED_STREAM): safe to
    /// retry elsewhere (RFC 9113 §8.7).
    case goneAway
    /// Our own bound of streams or of streams waiting for the peer's limit is reached; nothing was
    /// sent.
    case tooManyStreams
    /// A named time limit ran out.
    case timeout
    /// The peer broke the protocol on this stream.
    case protocolViolation
    /// The request's header section exceeded `HTTPLimits.headerBytes` or `headerCount`.
    case headersTooLarge
    /// The request's body exceeded `HTTPLimits.bodyBytes`.
    case bodyTooLarge
    /// More than `HTTPLimits.outputHardLimitBytes` waited unsent on this stream.
    case outputLimitExceeded
    /// The peer flooded the connection (see `HTTPLimits`), which was closed for it.
    case flood
    /// Connecting failed; the system's words.
    case connectFailed(String)
}
