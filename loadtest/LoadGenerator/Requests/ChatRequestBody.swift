import NIOCore

/// A class's streamed chat completions as JSON; what all have in common is written once.
struct ChatRequestBody {
    private let opening: [UInt8]
    private let middle: [UInt8]
    private let closing: [UInt8]

    init(_ traffic: TrafficClass) {
        opening = Array("{\"model\":".utf8) + Self.quoted(traffic.model) + Array(",".utf8)
        middle = Array(
            ",\"stream\":true,\"stream_options\":{\"include_usage\":true},\"max_tokens\":".utf8)
        var rest: [UInt8] = []
        if traffic.ignoresEndOfSequence { rest += ",\"ignore_eos\":true".utf8 }
        if let temperature = traffic.temperature { rest += ",\"temperature\":\(temperature)".utf8 }
        if let tier = traffic.tier { rest += Array(",\"service_tier\":".utf8) + Self.quoted(tier) }
        for member in traffic.extraMembers { rest += Array(",".utf8) + Array(member.utf8) }
        closing = rest + Array("}".utf8)
    }

    func encoded(_ messages: [ChatMessage], maxTokens: Int) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(
            messages.reduce(256 + closing.count) { $0 + $1.text.count + 48 })
        buffer.writeBytes(opening)
        buffer.writeStaticString("\"messages\":[")
        for (index, message) in messages.enumerated() {
            buffer.writeString((index == 0 ? "" : ",") + "{\"role\":\"\(message.role.rawValue)\"")
            buffer.writeStaticString(",\"content\":\"")
            buffer.writeBytes(message.text)
            buffer.writeStaticString("\"}")
        }
        buffer.writeStaticString("]")
        buffer.writeBytes(middle)
        buffer.writeString("\(maxTokens)")
        buffer.writeBytes(closing)
        return buffer
    }

    private static func quoted(_ text: String) -> [UInt8] {
        [UInt8(ascii: "\"")] + escaped(text) + [UInt8(ascii: "\"")]
    }

    /// What stands between the quotes of a JSON string (RFC 8259 §7).
    static func escaped(_ text: String) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): result += [UInt8(ascii: "\\"), byte]
            case UInt8(ascii: "\n"): result += "\\n".utf8
            case 0..<0x20:
                let digits = String(byte, radix: 16)
                result += "\\u".utf8
                result += String(repeating: "0", count: 4 - digits.count).utf8
                result += digits.utf8
            default: result.append(byte)
            }
        }
        return result
    }
}
