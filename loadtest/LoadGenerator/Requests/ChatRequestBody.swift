package import NIOCore

/// Settings of a streamed chat completion that are the same for all requests of a run.
package struct ChatRequestBody: Sendable, Equatable {
    package var model = "default"
    package var maxTokens = 64
    /// Generate `maxTokens` whatever the model says (llama-server, vLLM and Switchyard know it).
    package var ignoresEndOfSequence = false
    package var temperature: Double? = 0
    /// Further members as JSON text, for example `"top_p":0.9`.
    package var extraMembers: [String] = []

    package init() {}

    /// The body for one prompt.
    package func encoded(prompt: String, maxTokens override: Int? = nil) -> ByteBuffer {
        var text = "{\"model\":\(Self.quoted(model)),\"messages\":[{\"role\":\"user\",\"content\":"
        text += Self.quoted(prompt)
        text += "}],\"stream\":true,\"stream_options\":{\"include_usage\":true},\"max_tokens\":"
        text += "\(override ?? maxTokens)"
        if ignoresEndOfSequence { text += ",\"ignore_eos\":true" }
        if let temperature { text += ",\"temperature\":\(temperature)" }
        for member in extraMembers { text += "," + member }
        text += "}"
        return ByteBuffer(string: text)
    }

    /// A JSON string (RFC 8259 §7).
    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
