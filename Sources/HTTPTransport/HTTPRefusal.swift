package import NIOCore

/// What the transport refuses by itself; the only table of status numbers outside `InferenceAPI`.
package enum HTTPRefusal: Int, Error, Sendable, CaseIterable {
    case malformed = 400
    case timeout = 408
    case bodyTooLarge = 413
    /// A content coding that we do not decode.
    case unsupportedMediaType = 415
    case headersTooLarge = 431
    /// CONNECT, or a transfer coding that we do not know.
    case notImplemented = 501
    /// The server has `HTTPLimits.connections` already, or drains.
    case unavailable = 503
    case versionNotSupported = 505

    package var status: Int { rawValue }

    /// Gives a refusal its body, and fields that go with it, `content-type` among them; nil for
    /// none.
    ///
    /// - Parameter path: the request target; nil where it was not read.
    package typealias Body =
        @Sendable (HTTPRefusal, _ path: String?) -> (fields: HTTPFields, bytes: ByteBuffer)?
}
