package import NIOCore

/// The wire format written by hand; the counterpart of `ProtobufReader`.
///
/// Sizes are computed before anything is written, so that a message and its prefix go into one
/// buffer in one pass.
package enum ProtobufWriter {
    /// Bytes of a varint, 1...10: seven bits each.
    @inlinable
    package static func size(_ value: UInt64) -> Int {
        (70 - (value | 1).leadingZeroBitCount) / 7
    }

    @inlinable
    package static func varint(_ value: UInt64, _ output: inout OutputRawSpan) {
        var rest = value
        while rest >= 0x80 {
            output.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        output.append(UInt8(truncatingIfNeeded: rest))
    }

    /// Little-endian.
    @inlinable
    package static func fixed32(_ value: UInt32, _ output: inout OutputRawSpan) {
        output.append(UInt8(truncatingIfNeeded: value))
        output.append(UInt8(truncatingIfNeeded: value >> 8))
        output.append(UInt8(truncatingIfNeeded: value >> 16))
        output.append(UInt8(truncatingIfNeeded: value >> 24))
    }
}

extension ByteBuffer {
    /// Appends a varint where speed does not matter.
    package mutating func writeProtobufVarint(_ value: UInt64) {
        writeWithOutputRawSpan(minimumWritableBytes: 10) { output in
            ProtobufWriter.varint(value, &output)
        }
    }

    /// Appends a length-delimited string field with a number under 16.
    package mutating func writeProtobufString(field: UInt8, _ value: String) {
        writeInteger(field << 3 | 2)
        writeProtobufVarint(UInt64(value.utf8.count))
        writeString(value)
    }

    /// Appends a message or bytes field with a number under 16.
    package mutating func writeProtobufMessage(field: UInt8, _ message: ByteBuffer) {
        writeInteger(field << 3 | 2)
        writeProtobufVarint(UInt64(message.readableBytes))
        writeImmutableBuffer(message)
    }
}
