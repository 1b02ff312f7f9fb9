package import NIOCore

/// Turns DATA bytes into messages: cuts them, and decompresses what is flagged.
///
/// Owned by the call's event loop.
package struct GRPCMessageReader {
    private var decoder: GRPCFrameDecoder
    private let maxMessageBytes: Int
    private let encoding: GRPCEncoding?

    /// - Parameter encodingName: the other side's `grpc-encoding`.
    /// - Throws: `UNIMPLEMENTED` for an encoding that we do not speak (`compression.md`).
    package init(maxMessageBytes: Int, encodingName: String?) throws(GRPCStatus) {
        decoder = GRPCFrameDecoder(maxMessageBytes: maxMessageBytes)
        self.maxMessageBytes = maxMessageBytes
        guard let encodingName, encodingName != "identity" else {
            encoding = nil
            return
        }
        guard let known = GRPCEncoding(rawValue: encodingName) else {
            throw GRPCStatus(.unimplemented, "unknown grpc-encoding '\(encodingName)'")
        }
        encoding = known
    }

    package mutating func append(_ bytes: ByteBuffer) {
        decoder.append(bytes)
    }

    /// The next whole message, or nil when more bytes are needed.
    ///
    /// - Throws: what `GRPCFrameDecoder.next` and `GRPCEncoding.decompress` throw, and `INTERNAL`
    ///   for a compressed message in a call without `grpc-encoding`.
    package mutating func next() throws(GRPCStatus) -> ByteBuffer? {
        guard let frame = try decoder.next() else { return nil }
        guard frame.isCompressed else { return frame.payload }
        guard let encoding else {
            throw GRPCStatus(.internalError, "compressed message without grpc-encoding")
        }
        return try encoding.decompress(frame.payload, maxMessageBytes: maxMessageBytes)
    }

    /// Checks that the stream did not end inside a message.
    package func finish() throws(GRPCStatus) {
        try decoder.finish()
    }
}

/// Prefixes messages, compressed where that is agreed and worth it.
package struct GRPCMessageWriter {
    /// Nil: never compress.
    package var encoding: GRPCEncoding?
    package var thresholdBytes: Int

    package init(encoding: GRPCEncoding?, thresholdBytes: Int) {
        self.encoding = encoding
        self.thresholdBytes = thresholdBytes
    }

    /// `message` with its prefix, as one buffer.
    package func frame(_ message: ByteBuffer) -> ByteBuffer {
        var payload = message
        var isCompressed = false
        if let encoding, message.readableBytes >= thresholdBytes,
            let smaller = encoding.compress(message),
            smaller.readableBytes < message.readableBytes
        {
            payload = smaller
            isCompressed = true
        }
        var output = ByteBuffer()
        output.reserveCapacity(GRPCFrameDecoder.prefixBytes + payload.readableBytes)
        output.writeGRPCPrefix(isCompressed: isCompressed, length: payload.readableBytes)
        output.writeBuffer(&payload)
        return output
    }
}
