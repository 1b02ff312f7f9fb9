import GRPC
import InferenceTypes
import NIOCore
import SwiftProtobuf
import XAIProto

/// A streamed answer as `GetChatCompletionChunk` messages with gRPC's prefix.
///
/// xai-sdk overwrites where OpenAI's clients merge (`Response.process_chunk`), so every chunk has
/// id, model, creation time, fingerprint and the usage so far, every output its role, calls come
/// whole, and the last chunk of an output is the only one with a finish reason.
///
/// Sketch: a token costs one message of about 150 bytes, most of which is prepared: three copies,
/// a dozen varints and no allocation but the buffer. The bytes equal SwiftProtobuf's (fields in
/// order, zeros left out), which a property test compares. Log probabilities and calls go through
/// its messages.
struct XAIChunkEncoder: AnswerEncoder {
    /// An empty gRPC prefix, the id, and the tag of `outputs`.
    private let opening: [UInt8]
    /// The prefix and the id, for a chunk without outputs.
    private let outputlessBytes: Int
    /// Creation time, model and fingerprint.
    private let middle: [UInt8]
    /// What follows usage.
    private let closing: [UInt8]
    private var sentUsage: Usage?

    init(_ head: ChatResponseHead) {
        var buffer = ByteBuffer()
        buffer.writeGRPCPrefix(isCompressed: false, length: 0)
        buffer.writeMessage(XaiApi_GetChatCompletionChunk.with { $0.id = head.id })
        outputlessBytes = buffer.readableBytes
        buffer.writeInteger(Tag.outputs)
        opening = Array(buffer.readableBytesView)

        buffer.clear()
        buffer.writeMessage(
            XaiApi_GetChatCompletionChunk.with {
                $0.created.seconds = Int64(head.created)
                $0.model = head.model
                $0.systemFingerprint = head.systemFingerprint ?? ""
            })
        middle = Array(buffer.readableBytesView)

        buffer.clear()
        buffer.writeMessage(
            XaiApi_GetChatCompletionChunk.with {
                $0.serviceTier = XaiApi_ServiceTier(head.serviceTier)
            })
        closing = Array(buffer.readableBytesView)
    }

    /// The first chunk of each choice has all that others have.
    mutating func begin(_ usage: Usage, into buffer: inout ByteBuffer) {}

    mutating func write(
        _ piece: AnswerPiece, choice: Int, usage: Usage, into buffer: inout ByteBuffer
    ) {
        var output = Output(choice: choice)
        switch piece {
        case .text(let text, let logprobs):
            output.content = text
            if let logprobs, !logprobs.isEmpty {
                output.logprobs = Self.bytes(XaiApi_LogProbs(logprobs))
            }
        case .reasoning(let text): output.reasoning = text
        case .toolCall(let call): output.toolCall = Self.bytes(XaiApi_ToolCall(call))
        }
        write(output, usage, into: &buffer)
    }

    mutating func finish(
        _ reason: FinishReason, choice: Int, usage: Usage, into buffer: inout ByteBuffer
    ) {
        var output = Output(choice: choice)
        output.finish = UInt8(reason.xai.rawValue)
        write(output, usage, into: &buffer)
    }

    /// The last chunk has the usage of the whole answer, if none has had it yet.
    mutating func end(_ usage: Usage, into buffer: inout ByteBuffer) {
        guard usage != sentUsage else { return }
        write(nil, usage, into: &buffer)
    }

    /// The call's trailers tell it.
    mutating func fail(_ error: APIError, into buffer: inout ByteBuffer) {}

    /// HTTP/2 has its own.
    func keepalive(_ progress: AnswerProgress, into buffer: inout ByteBuffer) {}

    private static func bytes(_ message: some Message) -> [UInt8] {
        var buffer = ByteBuffer()
        buffer.writeMessage(message)
        return Array(buffer.readableBytesView)
    }

    // MARK: Bytes

    /// Tags of the definition's fields, with their wire types.
    private enum Tag {
        /// `GetChatCompletionChunk`.
        static let outputs: UInt8 = 0x12
        static let usage: UInt8 = 0x32
        /// `CompletionOutputChunk`.
        static let delta: UInt8 = 0x0A
        static let logprobs: UInt8 = 0x12
        static let finishReason: UInt8 = 0x18
        static let index: UInt8 = 0x20
        /// `Delta`.
        static let content: UInt8 = 0x0A
        static let role: UInt8 = 0x10
        static let toolCalls: UInt8 = 0x1A
        static let reasoning: UInt8 = 0x22
    }

    private static let assistant = UInt8(XaiApi_MessageRole.roleAssistant.rawValue)

    /// One `CompletionOutputChunk`.
    private struct Output {
        let choice: Int
        var content = ""
        var reasoning = ""
        /// A serialized `ToolCall`; empty for none.
        var toolCall: [UInt8] = []
        /// A serialized `LogProbs`; empty for none.
        var logprobs: [UInt8] = []
        /// 0 while the choice goes on.
        var finish: UInt8 = 0

        init(choice: Int) {
            self.choice = choice
        }

        var deltaBytes: Int {
            2 + content.utf8.count.enclosed + toolCall.count.enclosed
                + reasoning.utf8.count.enclosed
        }

        func bytes(deltaBytes: Int) -> Int {
            deltaBytes.enclosed + logprobs.count.enclosed + (finish == 0 ? 0 : 2)
                + (choice == 0 ? 0 : 1 + ProtobufWriter.size(UInt64(choice)))
        }
    }

    private mutating func write(
        _ output: Output?, _ usage: Usage, into buffer: inout ByteBuffer
    ) {
        sentUsage = usage
        let start = buffer.writerIndex
        let usageBytes = Self.bytes(of: usage)
        let deltaBytes = output?.deltaBytes ?? 0
        let outputBytes = output?.bytes(deltaBytes: deltaBytes) ?? 0
        let total =
            (output == nil ? outputlessBytes : opening.count - 1 + outputBytes.enclosed)
            + middle.count + usageBytes.enclosed + closing.count
        buffer.reserveCapacity(minimumWritableBytes: total)
        if let output {
            buffer.writeBytes(opening)
            Self.write(output, outputBytes, deltaBytes, into: &buffer)
        } else {
            buffer.writeBytes(opening[..<outputlessBytes])
        }
        buffer.writeBytes(middle)
        if usageBytes > 0 {
            buffer.writeWithOutputRawSpan(minimumWritableBytes: usageBytes.enclosed) { bytes in
                bytes.append(Tag.usage)
                ProtobufWriter.varint(UInt64(usageBytes), &bytes)
                Self.write(usage, &bytes)
            }
        }
        buffer.writeBytes(closing)
        // The flag byte stays 0: not compressed.
        buffer.setInteger(
            UInt32(buffer.writerIndex - start - GRPCFrameDecoder.prefixBytes), at: start + 1)
        assert(buffer.writerIndex - start == total, "a chunk's size was computed wrongly")
    }

    /// All of an output but its tag.
    private static func write(
        _ output: Output, _ outputBytes: Int, _ deltaBytes: Int, into buffer: inout ByteBuffer
    ) {
        let contentBytes = output.content.utf8.count
        buffer.writeWithOutputRawSpan(minimumWritableBytes: 32) { bytes in
            ProtobufWriter.varint(UInt64(outputBytes), &bytes)
            bytes.append(Tag.delta)
            ProtobufWriter.varint(UInt64(deltaBytes), &bytes)
            guard contentBytes > 0 else { return }
            bytes.append(Tag.content)
            ProtobufWriter.varint(UInt64(contentBytes), &bytes)
        }
        buffer.writeString(output.content)
        buffer.writeMultipleIntegers(Tag.role, assistant)
        if !output.toolCall.isEmpty {
            writeField(Tag.toolCalls, output.toolCall, into: &buffer)
        }
        if !output.reasoning.isEmpty {
            buffer.writeInteger(Tag.reasoning)
            buffer.writeProtobufVarint(UInt64(output.reasoning.utf8.count))
            buffer.writeString(output.reasoning)
        }
        if !output.logprobs.isEmpty { writeField(Tag.logprobs, output.logprobs, into: &buffer) }
        if output.finish != 0 { buffer.writeMultipleIntegers(Tag.finishReason, output.finish) }
        if output.choice != 0 {
            buffer.writeInteger(Tag.index)
            buffer.writeProtobufVarint(UInt64(output.choice))
        }
    }

    private static func writeField(
        _ tag: UInt8, _ payload: [UInt8], into buffer: inout ByteBuffer
    ) {
        buffer.writeInteger(tag)
        buffer.writeProtobufVarint(UInt64(payload.count))
        buffer.writeBytes(payload)
    }

    // MARK: Usage

    /// As `XaiApi_SamplingUsage.init`: field numbers and values.
    private static func fields(of usage: Usage) -> [7 of (number: UInt8, value: Int)] {
        [
            (1, usage.completionTokens), (2, usage.promptTokens), (3, usage.totalTokens),
            (4, usage.promptTokens), (6, usage.reasoningTokens), (7, usage.cachedTokens),
            (11, Int(usage.costTicks)),
        ]
    }

    private static func bytes(of usage: Usage) -> Int {
        let fields = fields(of: usage)
        var bytes = 0
        for index in fields.indices where fields[index].value != 0 {
            bytes += 1 + ProtobufWriter.size(UInt64(fields[index].value))
        }
        return bytes
    }

    private static func write(_ usage: Usage, _ bytes: inout OutputRawSpan) {
        let fields = fields(of: usage)
        for index in fields.indices where fields[index].value != 0 {
            bytes.append(fields[index].number << 3)
            ProtobufWriter.varint(UInt64(fields[index].value), &bytes)
        }
    }
}

extension Int {
    /// Bytes of a length-delimited field whose payload has this many, with a tag of one byte;
    /// none for an empty one.
    fileprivate var enclosed: Int {
        self == 0 ? 0 : 1 + ProtobufWriter.size(UInt64(self)) + self
    }
}
