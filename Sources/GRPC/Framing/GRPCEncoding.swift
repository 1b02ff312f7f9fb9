internal import Compression
package import NIOCore

/// A message compression that we speak (`compression.md`). `identity` is the absence of one.
package enum GRPCEncoding: String, Hashable, Sendable, CaseIterable {
    case gzip
    /// zlib's wrapper (RFC 1950), as for HTTP.
    case deflate

    /// Our `grpc-accept-encoding`.
    package static let accepted = "identity,deflate,gzip"

    /// The encodings that a `grpc-accept-encoding` value names.
    package static func names(in value: String) -> [Substring] {
        value.split(separator: ",").map { $0.drop { $0 == " " }.prefix { $0 != " " } }
    }

    private var format: CompressionFormat {
        switch self {
        case .gzip: .gzip
        case .deflate: .zlib
        }
    }

    /// The message in `payload`.
    ///
    /// - Throws: `RESOURCE_EXHAUSTED` when it is longer than `maxMessageBytes`, `INTERNAL` when the
    ///   bytes are not of this encoding.
    package func decompress(
        _ payload: ByteBuffer, maxMessageBytes: Int
    ) throws(GRPCStatus) -> ByteBuffer {
        var message = ByteBuffer()
        do {
            try Decompressor.decompress(
                payload, self == .gzip ? .gzip : .deflate,
                limits: DecompressionLimits(maximumOutputBytes: maxMessageBytes), into: &message)
        } catch .outputLimitExceeded, .ratioLimitExceeded {
            throw GRPCStatus(
                .resourceExhausted,
                "decompressed message is larger than the limit of \(maxMessageBytes)")
        } catch {
            throw GRPCStatus(.internalError, "message is not valid \(rawValue): \(error)")
        }
        return message
    }

    /// `message` compressed; nil when zlib has no memory for it, and then it goes uncompressed.
    package func compress(_ message: ByteBuffer) -> ByteBuffer? {
        var output = ByteBuffer()
        do {
            try Compressor.compress(message, format, into: &output)
            return output
        } catch {
            return nil
        }
    }
}
