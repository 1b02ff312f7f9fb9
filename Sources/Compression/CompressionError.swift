/// What can go wrong while bytes are compressed or decompressed. Every case but `library` and
/// `invalidParameters` is the fault of whoever sent the bytes.
package enum CompressionError: Error, Equatable, Sendable {
    /// The input is not the format it claims to be; `code` is zlib's (Z_DATA_ERROR, or
    /// Z_NEED_DICT for a preset dictionary, which HTTP and gRPC do not have).
    case corrupt(code: Int32)
    /// `Decompressor.finish()` was called inside of a stream: bytes are missing.
    case truncated
    /// Bytes follow the end of a format that holds a single stream (zlib, raw deflate).
    case trailingBytes
    /// The output would be longer than `DecompressionLimits.maximumOutputBytes`.
    case outputLimitExceeded(maximumBytes: Int)
    /// The output is more than `DecompressionLimits.maximumRatio` times as long as the input.
    case ratioLimitExceeded(maximumRatio: Int)
    /// zlib refused window bits, memory level or compression level (Z_STREAM_ERROR).
    case invalidParameters(code: Int32)
    /// zlib could not work for a reason of its own: Z_MEM_ERROR, Z_VERSION_ERROR.
    case library(code: Int32)
}
