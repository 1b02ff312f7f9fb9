import HTTPTransport
import InferenceAPI
import NIOCore

/// The bodies of what the transport refuses by itself, in the API's own shape.
struct TransportRefusal {
    private let requestIDs = RequestIDs()

    func body(
        _ refusal: HTTPRefusal, path: String?
    ) -> (fields: HTTPFields, bytes: ByteBuffer)? {
        var bytes = ByteBuffer()
        let face = GatewayService.errorFace(path: path ?? "")
        let requestID = requestIDs.next()
        face.write(Self.error(refusal), requestID: requestID, into: &bytes)
        var fields: HTTPFields = ["content-type": Answer.json]
        Answer.addRequestID(requestID, face, to: &fields)
        return (fields, bytes)
    }

    private static func error(_ refusal: HTTPRefusal) -> APIError {
        switch refusal {
        case .malformed: APIError(.invalidHeader, "The request is not valid HTTP.")
        case .timeout: APIError(.requestTimeout, "The request arrived too slowly.")
        case .bodyTooLarge: APIError(.payloadTooLarge, "The body is too large.")
        case .unsupportedMediaType:
            APIError(.unsupportedMediaType, "This content-encoding is not supported.")
        case .unavailable: APIError(.queueFull, "Too many connections; try again later.")
        case .headersTooLarge: APIError(.invalidHeader, "The header fields are too large.")
        case .notImplemented: APIError(.unsupported, "This method or coding is not supported.")
        case .versionNotSupported: APIError(.unsupported, "This HTTP version is not supported.")
        }
    }
}
