package import NIOCore

extension APIError {
    /// The HTTP status of this error's row.
    package var httpStatus: Int { kind.status.http }

    /// When a retry may help, for errors whose row says that one may; seconds are rounded up.
    package var retryDelay: (seconds: Int, milliseconds: Int)? {
        guard case .after(let standard) = kind.status.retry else { return nil }
        let milliseconds = max(1, retryAfterMilliseconds ?? standard)
        return ((milliseconds - 1) / 1_000 + 1, milliseconds)
    }

    /// Fields that belong on an HTTP answer with this error, `content-type` included, in lower
    /// case; `x-request-id` and `content-length` are the caller's.
    package var httpFields: [(name: String, value: String)] {
        var fields = [(name: "content-type", value: "application/json")]
        let status = kind.status
        if status.retry == .never { fields.append((name: "x-should-retry", value: "false")) }
        if let retryDelay {
            fields.append((name: "retry-after", value: String(retryDelay.seconds)))
            fields.append((name: "retry-after-ms", value: String(retryDelay.milliseconds)))
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
