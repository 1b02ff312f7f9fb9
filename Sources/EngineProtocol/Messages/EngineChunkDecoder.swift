package import GRPC
import InferenceTypes
package import NIOCore

/// Reads `GenerateResponse{chunk}` without intermediate messages: what a gateway does per request
/// and step.
package enum EngineChunkDecoder {
    package enum Outcome: Hashable, Sendable {
        /// `completionTokens` is as on the wire: the sender's own count for this chunk.
        case chunk(EngineTokens)
        /// Not a single plain chunk: a `Complete`, or fields repeated that a merge would have to
        /// join. The general decoder must read it.
        case other
    }

    package static func decode(_ message: ByteBuffer) throws(MalformedProtobuf) -> Outcome {
        let bytes = message.readableBytesUInt8Span
        var offset = 0
        var chunk: EngineTokens?
        while offset < bytes.count {
            let tag = try ProtobufReader.tag(bytes, &offset)
            switch (tag.field, tag.wireType) {
            case (1, 2):
                guard chunk == nil else { return .other }
                let end = try ProtobufReader.lengthDelimitedEnd(bytes, &offset)
                guard let read = try self.chunk(bytes, &offset, end) else { return .other }
                chunk = read
            case (2, 2):
                return .other
            default:
                try ProtobufReader.skip(bytes, &offset, field: tag.field, wireType: tag.wireType)
            }
        }
        guard let chunk else { return .other }
        return .chunk(chunk)
    }

    /// Nil when `output_logprobs` occurs twice.
    private static func chunk(
        _ bytes: Span<UInt8>, _ offset: inout Int, _ end: Int
    ) throws(MalformedProtobuf) -> EngineTokens? {
        var chunk = EngineTokens(tokens: [])
        while offset < end {
            let tag = try ProtobufReader.tag(bytes, &offset)
            switch (tag.field, tag.wireType) {
            case (1, 2):
                try tokens(bytes, &offset, &chunk.tokens)
            case (1, 0):
                chunk.tokens.append(try token(bytes, &offset))
            case (2, 0):
                chunk.promptTokens = try count(bytes, &offset)
            case (3, 0):
                chunk.completionTokens = try count(bytes, &offset)
            case (4, 0):
                chunk.cachedTokens = try count(bytes, &offset)
            case (5, 2):
                guard chunk.logprobs == nil else { return nil }
                chunk.logprobs = try logprobs(bytes, &offset)
            case (7, 0):
                chunk.index = try count(bytes, &offset)
            default:
                try ProtobufReader.skip(bytes, &offset, field: tag.field, wireType: tag.wireType)
            }
            // A value must not reach past the message that holds it.
            guard offset <= end else { throw MalformedProtobuf() }
        }
        return chunk
    }

    private static func logprobs(
        _ bytes: Span<UInt8>, _ offset: inout Int
    ) throws(MalformedProtobuf) -> [TokenLogprob] {
        let end = try ProtobufReader.lengthDelimitedEnd(bytes, &offset)
        var values: [Float] = []
        var ids: [TokenID] = []
        var tops: [[TokenLogprob.Alternative]] = []
        while offset < end {
            let tag = try ProtobufReader.tag(bytes, &offset)
            if tag.field == 3, tag.wireType == 2 {
                tops.append(try top(bytes, &offset))
            } else {
                try pair(bytes, &offset, tag, &values, &ids)
            }
            guard offset <= end else { throw MalformedProtobuf() }
        }
        return EngineLogprobs.join(values, ids, tops)
    }

    private static func top(
        _ bytes: Span<UInt8>, _ offset: inout Int
    ) throws(MalformedProtobuf) -> [TokenLogprob.Alternative] {
        let end = try ProtobufReader.lengthDelimitedEnd(bytes, &offset)
        var values: [Float] = []
        var ids: [TokenID] = []
        while offset < end {
            try pair(bytes, &offset, try ProtobufReader.tag(bytes, &offset), &values, &ids)
            guard offset <= end else { throw MalformedProtobuf() }
        }
        return EngineLogprobs.join(values, ids)
    }

    /// Field 1, repeated float, and field 2, repeated uint32, packed or not: the shape that
    /// `OutputLogProbs` and `TopLogProbs` share.
    private static func pair(
        _ bytes: Span<UInt8>, _ offset: inout Int, _ tag: (field: Int, wireType: Int),
        _ values: inout [Float], _ ids: inout [TokenID]
    ) throws(MalformedProtobuf) {
        switch (tag.field, tag.wireType) {
        case (1, 2):
            let end = try ProtobufReader.lengthDelimitedEnd(bytes, &offset)
            guard (end - offset) % 4 == 0 else { throw MalformedProtobuf() }
            while offset < end {
                values.append(Float(bitPattern: try ProtobufReader.fixed32(bytes, &offset)))
            }
        case (1, 5):
            values.append(Float(bitPattern: try ProtobufReader.fixed32(bytes, &offset)))
        case (2, 2):
            try tokens(bytes, &offset, &ids)
        case (2, 0):
            ids.append(try token(bytes, &offset))
        default:
            try ProtobufReader.skip(bytes, &offset, field: tag.field, wireType: tag.wireType)
        }
    }

    private static func tokens(
        _ bytes: Span<UInt8>, _ offset: inout Int, _ tokens: inout [TokenID]
    ) throws(MalformedProtobuf) {
        let end = try ProtobufReader.lengthDelimitedEnd(bytes, &offset)
        while offset < end { tokens.append(try token(bytes, &offset)) }
        guard offset == end else { throw MalformedProtobuf() }
    }

    /// A `uint32` on the wire; the upper half of the varint is dropped, as protobuf does.
    @inline(__always)
    private static func token(
        _ bytes: Span<UInt8>, _ offset: inout Int
    ) throws(MalformedProtobuf) -> TokenID {
        TokenID(truncatingIfNeeded: try ProtobufReader.varint(bytes, &offset))
    }

    @inline(__always)
    private static func count(
        _ bytes: Span<UInt8>, _ offset: inout Int
    ) throws(MalformedProtobuf) -> Int {
        Int(UInt32(truncatingIfNeeded: try ProtobufReader.varint(bytes, &offset)))
    }
}
