import Compression
import NIOCore

/// A service in front of another that undoes `content-encoding: gzip` and `deflate` of request
/// bodies; the inner one sees plain bodies and no trace of the coding.
///
/// Refusals: 415 for codings that we do not know or that are stacked, 400 for bytes that are not
/// what they claim, 413 for what grows beyond the limits.
package struct RequestDecodingService: HTTPService {
    private let service: any HTTPService
    private let limits: DecompressionLimits

    /// `bodyBytes`: most decoded bytes, as `HTTPLimits.bodyBytes` is for plain bodies.
    package init(_ service: any HTTPService, bodyBytes: Int) {
        self.service = service
        limits = DecompressionLimits(maximumOutputBytes: bodyBytes)
    }

    package func accept(
        _ head: HTTPRequestHead, _ stream: HTTPServerStream
    ) -> any HTTPServerStreamReceiver {
        var codings = HTTP1Request.tokens(head.fields.values(named: "content-encoding"))
        codings.removeAll { $0.isEmpty || $0 == "identity" }
        guard let coding = codings.first else { return service.accept(head, stream) }
        let format: Decompressor.Format
        switch coding {
        case "gzip", "x-gzip": format = .gzip
        case "deflate": format = .deflate
        default: return refuse(stream)
        }
        guard codings.count == 1 else { return refuse(stream) }
        do throws(CompressionError) {
            let decoding = RequestDecoding(try Decompressor(format, limits: limits))
            var plain = head
            // The length is the coded body's.
            plain.fields.list.removeAll {
                $0.name == "content-encoding" || $0.name == "content-length"
            }
            let inner = service.accept(plain, stream.decoded(by: decoding))
            return DecodingReceiver(inner, stream, decoding)
        } catch {
            stream.refuse(.unavailable, .resetLocally(code: HTTP2ErrorCode.internalError.rawValue))
            return RefusedReceiver()
        }
    }

    private func refuse(_ stream: HTTPServerStream) -> RefusedReceiver {
        stream.refuse(.unsupportedMediaType, .protocolViolation)
        return RefusedReceiver()
    }
}

/// A decompressor and how far its output lags behind: `consume` counts plain bytes, windows count
/// coded ones. Owned by the stream's loop.
final class RequestDecoding {
    private var decompressor: Decompressor
    /// Plain bytes handed out and not consumed.
    private var unconsumedPlain = 0
    /// Coded bytes received and not yet given back to the window.
    private var unconsumedCoded = 0

    init(_ decompressor: consuming Decompressor) {
        self.decompressor = decompressor
    }

    func decode(_ bytes: ByteBuffer) throws(CompressionError) -> ByteBuffer {
        var plain = ByteBuffer()
        try decompressor.write(bytes, into: &plain)
        unconsumedCoded += bytes.readableBytes
        unconsumedPlain += plain.readableBytes
        return plain
    }

    func finish() throws(CompressionError) {
        try decompressor.finish()
    }

    /// How many coded bytes `plain` consumed ones stand for: their share of what is open, and
    /// all of it with the last.
    func codedBytes(consuming plain: Int) -> Int {
        let consumed = min(plain, unconsumedPlain)
        let coded: Int
        if consumed == unconsumedPlain {
            coded = unconsumedCoded
        } else {
            coded = unconsumedCoded * consumed / unconsumedPlain
        }
        unconsumedPlain -= consumed
        unconsumedCoded -= coded
        return coded
    }
}

private final class DecodingReceiver: HTTPServerStreamReceiver {
    private let inner: any HTTPServerStreamReceiver
    private let stream: HTTPServerStream
    private let decoding: RequestDecoding

    init(
        _ inner: any HTTPServerStreamReceiver, _ stream: HTTPServerStream,
        _ decoding: RequestDecoding
    ) {
        self.inner = inner
        self.stream = stream
        self.decoding = decoding
    }

    func received(_ bytes: ByteBuffer) {
        do throws(CompressionError) {
            let plain = try decoding.decode(bytes)
            if plain.readableBytes > 0 {
                inner.received(plain)
            } else {
                // Nothing to consume, so the wrapper's own bytes are given back here.
                stream.consume(decoding.codedBytes(consuming: 0))
            }
        } catch {
            refuse(error)
        }
    }

    func receivedEnd(trailers: HTTPFields?) {
        do throws(CompressionError) {
            try decoding.finish()
        } catch {
            refuse(error)
            return
        }
        inner.receivedEnd(trailers: trailers)
    }

    private func refuse(_ error: CompressionError) {
        switch error {
        case .outputLimitExceeded, .ratioLimitExceeded:
            stream.refuse(.bodyTooLarge, .bodyTooLarge)
        case .corrupt, .truncated, .trailingBytes:
            stream.refuse(.malformed, .protocolViolation)
        case .invalidParameters, .library:
            stream.refuse(
                .unavailable, .resetLocally(code: HTTP2ErrorCode.internalError.rawValue))
        }
    }

    func closed(_ error: HTTPStreamError?) {
        inner.closed(error)
    }

    func writabilityChanged(_ isWritable: Bool) {
        inner.writabilityChanged(isWritable)
    }
}

/// Takes what still comes of a request that was refused in `accept`.
private final class RefusedReceiver: HTTPServerStreamReceiver {
    func received(_ bytes: ByteBuffer) {}
    func receivedEnd(trailers: HTTPFields?) {}
    func closed(_ error: HTTPStreamError?) {}
}
