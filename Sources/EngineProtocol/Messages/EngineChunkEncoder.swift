import GRPC
import InferenceTypes
package import NIOCore

/// `GenerateResponse{chunk}` with its gRPC prefix, written in one pass: what a worker sends per
/// request and step.
///
/// Sketch: a token costs one message of about 20 bytes, one buffer and no other allocation. The
/// bytes equal SwiftProtobuf's (fields in order, zeros left out, numbers packed), which a property
/// test compares; going through its messages costs a dozen allocations instead.
package enum EngineChunkEncoder {
    /// The framed message. `completion_tokens` counts this chunk's tokens, as vLLM's servicer does.
    package static func encode(_ chunk: EngineTokens) -> ByteBuffer {
        let sizes = Sizes(chunk)
        let message = sizes.chunk.enclosed
        var buffer = ByteBuffer()
        buffer.writeWithOutputRawSpan(
            minimumWritableBytes: GRPCFrameDecoder.prefixBytes + message
        ) { output in
            output.append(0)
            output.append(UInt8(truncatingIfNeeded: message >> 24))
            output.append(UInt8(truncatingIfNeeded: message >> 16))
            output.append(UInt8(truncatingIfNeeded: message >> 8))
            output.append(UInt8(truncatingIfNeeded: message))
            header(1, sizes.chunk, &output)
            if sizes.tokens > 0 {
                header(1, sizes.tokens, &output)
                for token in chunk.tokens { ProtobufWriter.varint(wire(token), &output) }
            }
            scalar(2, chunk.promptTokens, &output)
            scalar(3, chunk.tokens.count, &output)
            scalar(4, chunk.cachedTokens, &output)
            if let logprobs = chunk.logprobs, !logprobs.isEmpty {
                write(logprobs, sizes, &output)
            }
            scalar(7, chunk.index, &output)
        }
        return buffer
    }

    private static func write(
        _ logprobs: [TokenLogprob], _ sizes: Sizes, _ output: inout OutputRawSpan
    ) {
        header(5, sizes.logprobs, &output)
        header(1, 4 * logprobs.count, &output)
        for entry in logprobs { ProtobufWriter.fixed32(entry.logprob.bitPattern, &output) }
        header(2, sizes.logprobTokens, &output)
        for entry in logprobs { ProtobufWriter.varint(wire(entry.token), &output) }
        guard sizes.hasTop else { return }
        for entry in logprobs {
            let tokens = Sizes.varints(entry.top)
            header(3, Sizes.top(entry.top, tokens), &output)
            guard !entry.top.isEmpty else { continue }
            header(1, 4 * entry.top.count, &output)
            for item in entry.top { ProtobufWriter.fixed32(item.logprob.bitPattern, &output) }
            header(2, tokens, &output)
            for item in entry.top { ProtobufWriter.varint(wire(item.token), &output) }
        }
    }

    /// Tag and length of a length-delimited field.
    private static func header(_ field: UInt8, _ length: Int, _ output: inout OutputRawSpan) {
        output.append(field << 3 | 2)
        ProtobufWriter.varint(UInt64(length), &output)
    }

    /// A `uint32`, left out when 0.
    private static func scalar(_ field: UInt8, _ value: Int, _ output: inout OutputRawSpan) {
        guard value != 0 else { return }
        output.append(field << 3)
        ProtobufWriter.varint(UInt64(UInt32(truncatingIfNeeded: value)), &output)
    }

    /// A token id as the `uint32` it is on the wire.
    @inline(__always)
    fileprivate static func wire(_ token: TokenID) -> UInt64 {
        UInt64(UInt32(bitPattern: token))
    }

    /// Payload sizes of the length-delimited fields, computed before anything is written.
    private struct Sizes {
        var tokens = 0
        var logprobTokens = 0
        var logprobs = 0
        var hasTop = false
        var chunk = 0

        init(_ chunk: EngineTokens) {
            for token in chunk.tokens { tokens += ProtobufWriter.size(wire(token)) }
            if tokens > 0 { self.chunk += tokens.enclosed }
            self.chunk += Self.scalar(chunk.promptTokens) + Self.scalar(chunk.tokens.count)
            self.chunk += Self.scalar(chunk.cachedTokens) + Self.scalar(chunk.index)
            guard let entries = chunk.logprobs, !entries.isEmpty else { return }
            for entry in entries {
                logprobTokens += ProtobufWriter.size(wire(entry.token))
                hasTop = hasTop || !entry.top.isEmpty
            }
            logprobs = (4 * entries.count).enclosed + logprobTokens.enclosed
            if hasTop {
                for entry in entries {
                    logprobs += Self.top(entry.top, Self.varints(entry.top)).enclosed
                }
            }
            self.chunk += logprobs.enclosed
        }

        static func scalar(_ value: Int) -> Int {
            value == 0 ? 0 : 1 + ProtobufWriter.size(UInt64(UInt32(truncatingIfNeeded: value)))
        }

        static func varints(_ top: [TokenLogprob.Alternative]) -> Int {
            top.reduce(0) { $0 + ProtobufWriter.size(wire($1.token)) }
        }

        static func top(_ top: [TokenLogprob.Alternative], _ tokens: Int) -> Int {
            top.isEmpty ? 0 : (4 * top.count).enclosed + tokens.enclosed
        }
    }
}

extension Int {
    /// Bytes of a length-delimited field whose payload has this many, with a tag of one byte.
    fileprivate var enclosed: Int { 1 + ProtobufWriter.size(UInt64(self)) + self }
}
