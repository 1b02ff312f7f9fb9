package import NIOCore

/// What a server does with requests. One value serves all connections and loops.
package protocol HTTPService: Sendable {
    /// Called once per request, on the connection's loop, when its head is complete and valid.
    ///
    /// The returned receiver gets everything that follows, in order. The service may answer from
    /// inside this call or later, on the same loop. A request with `expect: 100-continue` is told
    /// to continue after this call, unless it was answered or reset inside of it.
    func accept(
        _ head: HTTPRequestHead, _ stream: HTTPServerStream
    ) -> any HTTPServerStreamReceiver
}

/// Receives one request's body and end. All calls come on the connection's loop.
package protocol HTTPServerStreamReceiver: AnyObject {
    /// Body bytes. The stream's window is given back only by `HTTPServerStream.consume(_:)`.
    ///
    /// The buffer may share the storage of the socket's read buffer: copy what is kept for long.
    func received(_ bytes: ByteBuffer)

    /// The client ended its side. Not called for a stream that is cut off.
    func receivedEnd(trailers: HTTPFields?)

    /// Called exactly once, last; the stream is dead afterwards and calls on it do nothing.
    /// nil: both sides ended normally.
    func closed(_ error: HTTPStreamError?)

    /// The unsent bytes crossed `HTTPLimits.outputHighWatermarkBytes` (false) or fell back to
    /// `outputLowWatermarkBytes` (true).
    func writabilityChanged(_ isWritable: Bool)
}

extension HTTPServerStreamReceiver {
    package func writabilityChanged(_ isWritable: Bool) {}
}
