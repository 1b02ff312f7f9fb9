package import NIOCore

/// Turns DATA bytes into messages: cuts them, decompresses what is flagged, and keeps account of
/// the flow-control credit that the bytes are worth. Owned by the call's event loop.
///
/// Credit for a message is due when it is handed out (`isAutomatic`) or when the application says
/// so (`release`). Bytes of a message that is not whole yet are always credited at once: a message
/// may be longer than the window.
package struct GRPCMessageReader {
    private var decoder: GRPCFrameDecoder
    private let maxMessageBytes: Int
    private let encoding: GRPCEncoding?
    /// Whether messages are credited when they are handed out.
    package var isAutomatic = true
    /// Credited bytes that are still in the decoder.
    private var prepaidBytes = 0
    private var dueBytes = 0
    private var withheldBytes = 0

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
        let before = decoder.pendingBytes
        guard let frame = try decoder.next() else {
            dueBytes += before - prepaidBytes
            prepaidBytes = before
            return nil
        }
        let used = before - decoder.pendingBytes
        let paid = min(prepaidBytes, used)
        prepaidBytes -= paid
        if isAutomatic { dueBytes += used - paid } else { withheldBytes += used - paid }
        guard frame.isCompressed else { return frame.payload }
        guard let encoding else {
            throw GRPCStatus(.internalError, "compressed message without grpc-encoding")
        }
        return try encoding.decompress(frame.payload, maxMessageBytes: maxMessageBytes)
    }

    /// Bytes to credit to the other side now; 0 afterwards.
    package mutating func takeDue() -> Int {
        defer { dueBytes = 0 }
        return dueBytes
    }

    /// Makes the credit of all messages handed out so far due.
    package mutating func release() {
        dueBytes += withheldBytes
        withheldBytes = 0
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
