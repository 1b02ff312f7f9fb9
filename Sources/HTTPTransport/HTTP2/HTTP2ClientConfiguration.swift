package import NIOCore

/// How a client connection behaves.
package struct HTTP2ClientConfiguration: Sendable, Equatable {
    package var limits: HTTPLimits
    /// Refusal: the connection attempt fails with `timeout`.
    package var connectTimeout = TimeAmount.seconds(5)
    /// A PING goes out after this long without a frame from the peer; nil: never.
    package var keepaliveInterval: TimeAmount? = .seconds(30)
    /// Without any frame for this long after such a PING, the connection is closed.
    package var keepaliveTimeout = TimeAmount.seconds(10)
    /// Streams that may wait for the peer's MAX_CONCURRENT_STREAMS; a further `open` throws
    /// `tooManyStreams`.
    package var waitingStreams = 1_024

    package init(limits: HTTPLimits = .trusted) {
        self.limits = limits
    }
}
