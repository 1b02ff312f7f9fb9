package import NIOCore

/// One length-prefixed message as it came off the wire.
package struct GRPCFrame: Hashable, Sendable {
    /// The flag byte's only defined value besides 0: `payload` is compressed with the call's
    /// `grpc-encoding`.
    package var isCompressed: Bool
    package var payload: ByteBuffer

    package init(isCompressed: Bool, payload: ByteBuffer) {
        self.isCompressed = isCompressed
        self.payload = payload
    }
}

/// Cuts a stream of DATA bytes into length-prefixed messages, however they are split.
///
/// A message is one flag byte, four bytes of length, big-endian, and that many bytes (gRPC over
/// HTTP/2, "Length-Prefixed-Message"). Whole messages are slices of what arrived, not copies; only
/// a message that spans reads is gathered, and memory grows with the bytes received, never with the
/// length announced.
package struct GRPCFrameDecoder {
    /// Longest payload accepted, in bytes, before decompression.
    private let maxMessageBytes: Int
    private var pending = ByteBuffer()

    package static let prefixBytes = 5

    package init(maxMessageBytes: Int) {
        self.maxMessageBytes = maxMessageBytes
    }

    /// Bytes held that do not make a whole message yet.
    package var pendingBytes: Int { pending.readableBytes }

    package mutating func append(_ bytes: ByteBuffer) {
        if pending.readableBytes == 0 {
            pending = bytes
        } else {
            pending.discardReadBytes()
            pending.writeImmutableBuffer(bytes)
        }
    }

    /// The next whole message, or nil when more bytes are needed.
    ///
    /// - Throws: `RESOURCE_EXHAUSTED` as soon as a prefix announces more than the limit, and
    ///   `INTERNAL` for an undefined flag. The stream cannot be read further after either.
    package mutating func next() throws(GRPCStatus) -> GRPCFrame? {
        let start = pending.readerIndex
        guard let flag = pending.getInteger(at: start, as: UInt8.self) else { return nil }
        guard flag <= 1 else {
            throw GRPCStatus(.internalError, "message flag \(flag) is not defined")
        }
        guard let length = pending.getInteger(at: start + 1, as: UInt32.self) else { return nil }
        guard Int(length) <= maxMessageBytes else {
            throw GRPCStatus(
                .resourceExhausted,
                "message of \(length) bytes is larger than the limit of \(maxMessageBytes)")
        }
        guard
            let payload = pending.getSlice(at: start + Self.prefixBytes, length: Int(length))
        else { return nil }
        pending.moveReaderIndex(forwardBy: Self.prefixBytes + Int(length))
        if pending.readableBytes == 0 { pending = ByteBuffer() }
        return GRPCFrame(isCompressed: flag == 1, payload: payload)
    }

    /// Checks that the stream did not end inside a message.
    package func finish() throws(GRPCStatus) {
        guard pending.readableBytes == 0 else {
            throw GRPCStatus(
                .internalError, "the stream ended \(pending.readableBytes) bytes into a message")
        }
    }
}

extension ByteBuffer {
    /// Writes a message prefix; `length` payload bytes must follow.
    package mutating func writeGRPCPrefix(isCompressed: Bool, length: Int) {
        writeMultipleIntegers(isCompressed ? 1 : 0, UInt32(length), as: (UInt8, UInt32).self)
    }
}
