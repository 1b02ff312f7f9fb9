package import NIOCore

extension APIError {
    /// The HTTP status of this error's row.
    package var httpStatus: Int { kind.status.http }

    /// Fields that belong on an HTTP answer with this error, `content-type` included, in lower
    /// case; `x-request-id` and `content-length` are the caller's.
    package var httpFields: [(name: String, value: String)] {
        var fields = [(name: "content-type", value: "application/json")]
        let status = kind.status
        switch status.retry {
        case .byStatus: break
        case .never: fields.append((name: "x-should-retry", value: "false"))
        case .after(let standard):
            let milliseconds = max(1, retryAfterMilliseconds ?? standard)
            let seconds = (milliseconds - 1) / 1_000 + 1
            fields.append((name: "retry-after", value: String(seconds)))
            fields.append((name: "retry-after-ms", value: String(milliseconds)))
        }
        if status.grpc == .unauthenticated {
            // RFC 9110 §11.6.1: a 401 carries a challenge.
            fields.append((name: "www-authenticate", value: "Bearer"))
        }
        if let allowedMethods {
            fields.append((name: "allow", value: allowedMethods))
        }
        return fields
    }

    /// Appends OpenAI's error object: `{"error":{"message","type","param","code"}}`.
    package func writeBody(into buffer: inout ByteBuffer) {
        buffer.writeStaticString("{\"error\":")
        writeObject(into: &buffer)
        buffer.writeStaticString("}")
    }

    /// Appends what OpenAI's error object holds.
    func writeObject(into buffer: inout ByteBuffer) {
        let status = kind.status
        buffer.writeStaticString("{\"message\":")
        buffer.writeJSONString(message)
        buffer.writeStaticString(",\"type\":")
        buffer.writeJSONString(status.type)
        buffer.writeStaticString(",\"param\":")
        buffer.writeJSONString(orNull: parameter)
        buffer.writeStaticString(",\"code\":")
        buffer.writeJSONString(orNull: status.code)
        buffer.writeStaticString("}")
    }

    /// Appends the error as a server-sent event. It ends the stream: nothing may follow it, least
    /// of all `[DONE]`, so that a truncated answer cannot pass for a whole one (trap 15).
    package func writeEvent(into buffer: inout ByteBuffer) {
        buffer.writeStaticString("data: ")
        writeBody(into: &buffer)
        buffer.writeStaticString("\n\n")
    }
}
