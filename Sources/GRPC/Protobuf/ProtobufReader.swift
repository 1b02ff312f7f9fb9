/// Bytes that are not a protobuf message.
package struct MalformedProtobuf: Error, Hashable, Sendable {
    @inlinable
    package init() {}
}

/// The wire format read by hand (protobuf.dev, "Encoding"), where a generated message would cost
/// more than its use: on the path of tokens, and for the two-field messages of the health service.
///
/// All functions move `offset` past what they read and throw when the bytes end first. They are
/// inlinable because a token's chunk is a dozen such reads, made in another target.
package enum ProtobufReader {
    /// Field number and wire type of a tag.
    @inlinable
    package static func tag(
        _ bytes: Span<UInt8>, _ offset: inout Int
    ) throws(MalformedProtobuf) -> (field: Int, wireType: Int) {
        let value = try varint(bytes, &offset)
        guard value <= UInt64(UInt32.max), value >> 3 != 0 else { throw MalformedProtobuf() }
        return (Int(value >> 3), Int(value & 7))
    }

    /// At most ten bytes; bits past the 64th are dropped, as the reference implementations do.
    @inlinable
    package static func varint(
        _ bytes: Span<UInt8>, _ offset: inout Int
    ) throws(MalformedProtobuf) -> UInt64 {
        guard offset < bytes.count else { throw MalformedProtobuf() }
        let first = bytes[offset]
        if first < 0x80 {
            offset += 1
            return UInt64(first)
        }
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while shift < 70 {
            guard offset < bytes.count else { throw MalformedProtobuf() }
            let byte = bytes[offset]
            offset += 1
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        throw MalformedProtobuf()
    }

    @inlinable
    package static func fixed32(
        _ bytes: Span<UInt8>, _ offset: inout Int
    ) throws(MalformedProtobuf) -> UInt32 {
        guard bytes.count - offset >= 4 else { throw MalformedProtobuf() }
        let value =
            UInt32(bytes[offset]) | UInt32(bytes[offset + 1]) << 8
            | UInt32(bytes[offset + 2]) << 16 | UInt32(bytes[offset + 3]) << 24
        offset += 4
        return value
    }

    /// Reads a length and returns where that many bytes end, without moving past them.
    @inlinable
    package static func lengthDelimitedEnd(
        _ bytes: Span<UInt8>, _ offset: inout Int
    ) throws(MalformedProtobuf) -> Int {
        let length = try varint(bytes, &offset)
        guard length <= UInt64(bytes.count - offset) else { throw MalformedProtobuf() }
        return offset + Int(length)
    }

    /// A string field's value; bytes that are not UTF-8 are malformed in proto3.
    package static func string(
        _ bytes: Span<UInt8>, _ offset: inout Int
    ) throws(MalformedProtobuf) -> String {
        let end = try lengthDelimitedEnd(bytes, &offset)
        var copy: [UInt8] = []
        copy.reserveCapacity(end - offset)
        while offset < end {
            copy.append(bytes[offset])
            offset += 1
        }
        guard let value = String(validating: copy, as: UTF8.self) else { throw MalformedProtobuf() }
        return value
    }

    /// Skips the value of an unknown field. Groups may nest `maxGroupDepth` deep.
    package static func skip(
        _ bytes: Span<UInt8>, _ offset: inout Int, field: Int, wireType: Int, depth: Int = 0
    ) throws(MalformedProtobuf) {
        switch wireType {
        case 0:
            _ = try varint(bytes, &offset)
        case 1:
            guard bytes.count - offset >= 8 else { throw MalformedProtobuf() }
            offset += 8
        case 2:
            offset = try lengthDelimitedEnd(bytes, &offset)
        case 3:
            guard depth < maxGroupDepth else { throw MalformedProtobuf() }
            while true {
                let inner = try tag(bytes, &offset)
                if inner.wireType == 4 {
                    guard inner.field == field else { throw MalformedProtobuf() }
                    return
                }
                try skip(
                    bytes, &offset, field: inner.field, wireType: inner.wireType, depth: depth + 1)
            }
        case 5:
            guard bytes.count - offset >= 4 else { throw MalformedProtobuf() }
            offset += 4
        default:
            throw MalformedProtobuf()
        }
    }

    /// As SwiftProtobuf's default nesting limit.
    package static let maxGroupDepth = 100
}
