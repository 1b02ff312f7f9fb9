import NIOCore

/// Why a body was refused, before its place has a name.
///
/// Decoding throws offsets; the parameter's path is worked out from them once, on the way out.
struct DecodeFailure: Error {
    var kind: APIErrorKind
    var message: String
    /// Where the value at fault starts.
    var offset: Int
    /// A field below that place, for one that is missing.
    var field: String?
    /// False when the fault has no parameter: the document is not JSON.
    var hasParameter = true

    init(_ kind: APIErrorKind, _ message: String, at offset: Int, field: String? = nil) {
        self.kind = kind
        self.message = message
        self.offset = offset
        self.field = field
    }

    init(_ error: JSONError) {
        offset = error.offset
        switch error.reason {
        case .wrongType, .notAnInteger:
            kind = .invalidType
            message = "Invalid type: \(error)."
        case .outOfRange:
            kind = .invalidValue
            message = "Invalid value: \(error)."
        default:
            kind = .malformedJSON
            message = "The request body could not be parsed as JSON: \(error)."
            hasParameter = false
        }
    }

    /// - Parameter offset: of the object that lacks the field.
    static func missing(_ field: String, at offset: Int) -> DecodeFailure {
        DecodeFailure(
            .missingParameter, "Missing required parameter.", at: offset, field: field)
    }

    func apiError(in body: ByteBuffer, limits: JSONLimits) -> APIError {
        guard hasParameter else { return APIError(kind, message) }
        var path = JSONPath.locate(offset, in: body, limits: limits)
        if let field {
            path += path.isEmpty ? field : "." + field
        }
        guard !path.isEmpty else { return APIError(kind, message) }
        return APIError(kind, "'\(path)': \(message)", parameter: path)
    }
}
