import GRPC
import NIOCore

/// A class's `GetCompletionsRequest` messages (xai/api/v1/chat.proto), written by hand as the
/// protocol buffers of the hot paths are; a test compares them with the generated code.
struct XAIRequestBody {
    static let path = "/xai_api.Chat/GetCompletionChunk"

    /// `ServiceTier`'s numbers.
    static let tiers: [String: UInt8] = ["default": 1, "priority": 2]

    private let model: String
    private let temperature: Double?
    /// `ServiceTier`'s number; 0 leaves it out.
    private let tier: UInt8

    init(_ traffic: TrafficClass) {
        model = traffic.model
        temperature = traffic.temperature
        tier = traffic.tier.flatMap { Self.tiers[$0] } ?? 0
    }

    /// The message, without gRPC's prefix.
    func encoded(_ messages: [ChatMessage], maxTokens: Int) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(messages.reduce(64) { $0 + $1.text.count + 32 })
        for message in messages { Self.write(message, into: &buffer) }
        buffer.writeProtobufString(field: 2, model)
        // max_tokens = 7, varint.
        buffer.writeInteger(UInt8(7 << 3))
        buffer.writeProtobufVarint(UInt64(maxTokens))
        if let temperature {
            // temperature = 14, a float.
            buffer.writeInteger(UInt8(14 << 3 | 5))
            buffer.writeInteger(Float(temperature).bitPattern, endianness: .little)
        }
        if tier != 0 {
            // service_tier = 31, varint.
            buffer.writeProtobufVarint(31 << 3)
            buffer.writeInteger(tier)
        }
        return buffer
    }

    /// `messages` = 1: `Message` with `content` = 1, a `Content` with `text` = 1, and `role` = 2.
    private static func write(_ message: ChatMessage, into buffer: inout ByteBuffer) {
        let role: UInt8 =
            switch message.role {
            case .user: 1
            case .assistant: 2
            case .system: 3
            }
        let lengthDelimited = UInt8(1 << 3 | 2)
        let contentBytes = enclosed(message.text.count)
        let messageBytes = enclosed(contentBytes) + 2
        for (tag, length) in [
            (lengthDelimited, messageBytes), (lengthDelimited, contentBytes),
            (lengthDelimited, message.text.count),
        ] {
            buffer.writeInteger(tag)
            buffer.writeProtobufVarint(UInt64(length))
        }
        buffer.writeBytes(message.text)
        buffer.writeInteger(UInt8(2 << 3))
        buffer.writeInteger(role)
    }

    /// A field of so many bytes with its tag and length.
    private static func enclosed(_ bytes: Int) -> Int {
        1 + ProtobufWriter.size(UInt64(bytes)) + bytes
    }
}
