package import Compression
package import NIOCore

/// When and how answers are compressed.
package struct ResponseCompression: Sendable, Equatable {
    /// Shorter answers go out plain: below about a packet gzip only costs time.
    package var minimumBytes = 1_024
    /// For whole answers.
    package var parameters = CompressionParameters.whole
    /// Compress event streams too. Off by default: stock clients send `accept-encoding: gzip`
    /// and then cannot read a compressed stream event by event.
    package var compressesEventStreams = false
    /// For event streams, which keep their state for as long as they last.
    package var streamParameters = CompressionParameters.small

    package init() {}

    /// Compresses a whole answer if the client likes that and it pays, and says so in `head`:
    /// `content-encoding`, `content-length` and, whichever way it went, `vary`.
    package func encode(
        _ body: ByteBuffer, head: inout HTTPResponseHead, for request: HTTPRequestHead
    ) -> ByteBuffer {
        var result = body
        if head.fields["content-encoding"] == nil, body.readableBytes >= minimumBytes {
            addVary(&head)
            if AcceptEncoding(request.fields.values(named: "accept-encoding")).prefersGzip,
                let smaller = compressed(body)
            {
                head.fields["content-encoding"] = "gzip"
                result = smaller
            }
        }
        head.fields["content-length"] = "\(result.readableBytes)"
        return result
    }

    /// nil when gzip does not make it shorter.
    private func compressed(_ body: ByteBuffer) -> ByteBuffer? {
        var output = ByteBuffer()
        do throws(CompressionError) {
            try Compressor.compress(body, .gzip, parameters: parameters, into: &output)
        } catch {
            // Without memory for zlib, or with wrong parameters, a plain answer is still right.
            return nil
        }
        return output.readableBytes < body.readableBytes ? output : nil
    }

    /// A compressor for the answer's event stream, or nil where it goes out plain. Call before
    /// the head is sent: it gets `content-encoding` and `vary`.
    package func eventStreamCompressor(
        head: inout HTTPResponseHead, for request: HTTPRequestHead
    ) -> EventStreamCompressor? {
        guard compressesEventStreams else { return nil }
        addVary(&head)
        guard AcceptEncoding(request.fields.values(named: "accept-encoding")).prefersGzip,
            let compressor = EventStreamCompressor(parameters: streamParameters)
        else { return nil }
        head.fields["content-encoding"] = "gzip"
        head.fields["content-length"] = nil
        return compressor
    }

    private func addVary(_ head: inout HTTPResponseHead) {
        let named = HTTP1Request.tokens(head.fields.values(named: "vary"))
        if !named.contains("accept-encoding"), !named.contains("*") {
            head.fields.append("vary", "accept-encoding")
        }
    }
}

/// gzip for one event stream: what is written can be read by the client at once. Owned by the
/// stream's loop.
package final class EventStreamCompressor {
    private var compressor: Compressor

    /// nil when zlib refuses the parameters or has no memory.
    package init?(parameters: CompressionParameters) {
        do throws(CompressionError) {
            compressor = try Compressor(.gzip, parameters: parameters)
        } catch {
            return nil
        }
    }

    /// One or more whole events in, the bytes to send out.
    package func encode(_ events: ByteBuffer) -> ByteBuffer {
        var output = ByteBuffer()
        compressor.write(events, into: &output, flush: .sync)
        return output
    }

    /// The last events (may be empty) and the end of the gzip stream.
    package func finish(_ events: ByteBuffer) -> ByteBuffer {
        var output = ByteBuffer()
        compressor.write(events, into: &output, flush: .finish)
        return output
    }
}
