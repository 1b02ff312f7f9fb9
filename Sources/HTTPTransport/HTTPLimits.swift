package import NIOCore

/// Every bound of the transport, for servers and, where it makes sense, clients.
///
/// Counts "per window" are per connection and `floodWindow`. A flood ends the connection with
/// GOAWAY ENHANCE_YOUR_CALM (HTTP/1.1: by closing it).
package struct HTTPLimits: Sendable, Equatable {
    // MARK: Connections and time

    /// Open connections of a server. Refusal: 503 to HTTP/1.1 clients on a plain port, for up to
    /// `refusedConnections` at a time; everybody else's is closed as soon as it is accepted.
    package var connections = 16_384
    /// Connections over the limit that may wait to be told so.
    package var refusedConnections = 64
    /// From the connection's start to the end of its first head (HTTP/2: of its preface), the TLS
    /// handshake apart, and from the first byte of any later head to its end. Refusal: the
    /// connection is closed (HTTP/1.1: 408; HTTP/2: GOAWAY).
    package var headerTimeout = TimeAmount.seconds(15)
    /// Without an open stream for this long, a connection is closed (HTTP/2: GOAWAY first). PINGs
    /// do not count as use.
    package var idleTimeout = TimeAmount.minutes(10)
    /// Longest pause in a request's body while the response has not begun. Refusal: 408.
    package var bodyTimeout = TimeAmount.seconds(60)
    /// Longest time without any progress while output waits for the peer's socket; then the
    /// connection is closed. The same for the output of one HTTP/2 stream whose window the peer
    /// does not open; then that stream is reset with CANCEL.
    package var writeStallTimeout = TimeAmount.minutes(5)

    // MARK: Streams

    /// Streams open at once on one connection; a further one gets RST_STREAM REFUSED_STREAM.
    package var concurrentStreams = 1_024
    /// SETTINGS_MAX_CONCURRENT_STREAMS. Larger than `concurrentStreams`, because libnghttp2 ends
    /// the whole connection of a peer that exceeds the advertised number.
    package var advertisedConcurrentStreams = 2_048
    /// SETTINGS_INITIAL_WINDOW_SIZE: body bytes of one stream that were not yet consumed.
    package var streamWindowBytes = 1 << 20
    /// The connection's window, replenished at reception, so one slow stream cannot block others.
    package var connectionWindowBytes = 16 << 20
    /// False: the connection's window opens only by `consume(_:)`, which bounds the unconsumed
    /// bytes of all streams together to `connectionWindowBytes`.
    package var replenishesConnectionWindowAtReception = true

    // MARK: Heads and bodies

    /// Sum of name, value and 32 bytes over all fields of a head or trailer
    /// (SETTINGS_MAX_HEADER_LIST_SIZE). Refusal: 431.
    package var headerBytes = 64 << 10
    /// Fields of a head or trailer. Refusal: 431.
    package var headerCount = 128
    /// Decoded size at which an HTTP/2 header block ends the connection instead: decoding cannot
    /// be skipped without losing the compression state, so only this stops an HPACK bomb.
    package var headerBytesBeforeDisconnect = 1 << 20
    /// Body bytes of a request. Refusal: 413.
    package var bodyBytes = 32 << 20

    // MARK: HTTP/1.1

    /// Pipelined requests that wait while one is served (as many as one read brought). What
    /// follows them is dropped, and the connection closes after they are answered.
    package var pipelinedRequests = 64
    /// Body bytes that are read and dropped after an answer that came before the body's end, in
    /// order to keep the connection. A longer body closes it.
    package var discardedBodyBytes = 256 << 10
    /// How long a refused client's bytes are still read and dropped, so that it sees the refusal
    /// instead of a TCP reset. HTTP/2: how long the rest of a request that was answered early may
    /// come before its stream is reset.
    package var lingerTimeout = TimeAmount.seconds(2)

    // MARK: Output

    /// Unsent bytes of a stream above which `isWritable` turns false.
    package var outputHighWatermarkBytes = 64 << 10
    /// Unsent bytes of a stream at which `isWritable` turns true again.
    package var outputLowWatermarkBytes = 16 << 10
    /// A `send` on a stream that already has this many unsent bytes resets it: the producer does
    /// not heed `isWritable`.
    package var outputHardLimitBytes = 8 << 20
    /// Bytes made ready for the socket and not yet accepted by it; above, no more frames are made
    /// and, on a server, no more is read.
    package var connectionOutputBytes = 64 << 10

    // MARK: Floods

    /// The window of the counters below.
    package var floodWindow = TimeAmount.seconds(10)
    /// PINGs per window beyond one per useful frame (grpc-core measures bandwidth with PINGs).
    package var pingsPerWindow = 100
    package var settingsPerWindow = 32
    /// Empty DATA frames that do not end a stream.
    package var emptyDataFramesPerWindow = 100
    /// PRIORITY, PRIORITY_UPDATE and unknown frames beyond two per request.
    package var ignoredFramesPerWindow = 200
    /// WINDOW_UPDATEs beyond two per DATA frame that we sent.
    package var windowUpdatesPerWindow = 500
    /// RST_STREAMs received beyond one per stream that ended well (CVE-2023-44487).
    package var resetsPerWindow = 400
    /// Resets that the peer's own violations made us send (CVE-2025-8671).
    package var provokedResetsPerWindow = 100

    package init() {}

    /// Limits towards a peer that is part of the same installation, such as a gateway's link to a
    /// worker: it may cancel thousands of streams at once and send large bodies.
    package static var trusted: HTTPLimits {
        var limits = HTTPLimits()
        limits.concurrentStreams = 16_384
        limits.advertisedConcurrentStreams = 32_768
        limits.idleTimeout = .hours(24)
        limits.bodyBytes = 256 << 20
        limits.pingsPerWindow = 10_000
        limits.windowUpdatesPerWindow = 1_000_000
        limits.resetsPerWindow = 1_000_000
        limits.provokedResetsPerWindow = 10_000
        return limits
    }
}
