/// The three wrappings of a deflate stream.
package enum CompressionFormat: Sendable, Hashable {
    /// RFC 1952: `content-encoding: gzip`, gRPC's `gzip`.
    case gzip
    /// RFC 1950: what RFC 9110 §8.4.1.2 and gRPC call `deflate`.
    case zlib
    /// RFC 1951 without a wrapper: what some HTTP clients send as `deflate`.
    case raw

    /// zlib's `windowBits` argument for this wrapper and a window of 2^bits bytes.
    func zlibWindowBits(_ bits: Int32) -> Int32 {
        switch self {
        case .gzip: bits + 16
        case .zlib: bits
        case .raw: -bits
        }
    }
}

/// How much memory and time a compressor may use. A wrong value is refused by
/// `Compressor.init` with `CompressionError.invalidParameters`.
package struct CompressionParameters: Sendable, Hashable {
    /// 0 (store) ... 9 (smallest).
    package var level: Int32
    /// The window is 2^windowBits bytes, 9...15.
    package var windowBits: Int32
    /// 1...9; zlib's internal state takes 2^(memoryLevel + 9) bytes.
    package var memoryLevel: Int32

    package init(level: Int32, windowBits: Int32, memoryLevel: Int32) {
        self.level = level
        self.windowBits = windowBits
        self.memoryLevel = memoryLevel
    }

    /// For answers that are compressed at once: 256 KiB of state for the duration of the call.
    package static let whole = CompressionParameters(level: 4, windowBits: 15, memoryLevel: 8)

    /// For what is made once and kept.
    package static let smallest = CompressionParameters(level: 9, windowBits: 15, memoryLevel: 9)

    /// For streams that stay open for minutes: 6 KiB of state each. An SSE stream is still about
    /// 12 times smaller on the wire, against 14 times with the full window.
    package static let small = CompressionParameters(level: 1, windowBits: 10, memoryLevel: 2)

    /// Bytes that zlib allocates for one compressor (zconf.h, "memory requirements for deflate").
    package var stateBytes: Int { (1 << Int(windowBits + 2)) + (1 << Int(memoryLevel + 9)) }
}
