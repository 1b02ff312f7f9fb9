package import NIOCore

/// What an upstream says went wrong, in whichever of the usual shapes: OpenAI's
/// `{"error":{"message","type","param","code"}}`, llama-server's with a number as `code`, FastAPI's
/// `{"detail":…}` and vLLM's old bare `{"message","type","code"}`.
package struct UpstreamError: Hashable, Sendable {
    /// Longest message that is passed on, in bytes of UTF-8.
    package static let messageBytesLimit = 2_048

    package var message: String
    package var type: String?
    package var parameter: String?
    /// A word such as `context_length_exceeded`.
    package var code: String?
    /// A status that the error itself names.
    package var status: Int?

    package init(message: String) {
        self.message = message
    }

    /// Of a whole body; nil when it says nothing that we read.
    package static func decode(_ body: ByteBuffer) -> UpstreamError? {
        var reader = JSONReader(body)
        do {
            // What is not JSON says nothing to a client.
            return try read(&reader)
        } catch {
            return nil
        }
    }

    /// Of a JSON value; nil for null.
    static func read(_ reader: inout JSONReader) throws(JSONError) -> UpstreamError? {
        switch try reader.peek() {
        case .string: return UpstreamError(message: clipped(try reader.readString()))
        case .object: break
        default:
            try reader.skipValue()
            return nil
        }
        var error = UpstreamError(message: "")
        var inner: UpstreamError?
        try reader.beginObject()
        while let key = try reader.nextKey() {
            let kind = try reader.peek()
            switch (key, kind) {
            case ("error", .object), ("error", .string), ("detail", .string):
                inner = try read(&reader)
            case ("message", .string): error.message = clipped(try reader.readString())
            case ("type", .string): error.type = clipped(try reader.readString())
            case ("param", .string): error.parameter = clipped(try reader.readString())
            case ("code", .string): error.code = clipped(try reader.readString())
            case ("code", .number), ("status", .number):
                if case .integer(let number) = try reader.readNumber() {
                    error.status = Int(exactly: number)
                }
            default: try reader.skipValue()
            }
        }
        if let inner { return inner }
        return error == UpstreamError(message: "") ? nil : error
    }

    private static func clipped(_ text: String) -> String {
        guard text.utf8.count > messageBytesLimit else { return text }
        // Whole characters, so that what is cut stays text.
        var bytes = 0
        let kept = text.prefix {
            bytes += $0.utf8.count
            return bytes <= messageBytesLimit
        }
        return kept + "…"
    }

    /// The prompt does not fit: vLLM's and OpenAI's code, llama-server's type.
    package var isContextExceeded: Bool {
        code == "context_length_exceeded" || type == "exceed_context_size_error"
    }
}
