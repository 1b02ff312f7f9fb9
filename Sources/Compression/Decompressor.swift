internal import CZlib
package import NIOCore

/// How much a decompressor may produce. Both limits hold over the whole life of the stream.
package struct DecompressionLimits: Sendable, Hashable {
    /// Most output bytes in total.
    package var maximumOutputBytes: Int
    /// Most output bytes per input byte, asked only once the output is longer than
    /// `ratioExemptBytes`. Deflate itself ends at about 1,032; real prompts stay under 100.
    package var maximumRatio: Int
    /// Output bytes that any input may produce, whatever its ratio.
    package var ratioExemptBytes: Int

    package init(
        maximumOutputBytes: Int, maximumRatio: Int = 250, ratioExemptBytes: Int = 1 << 20
    ) {
        self.maximumOutputBytes = maximumOutputBytes
        self.maximumRatio = maximumRatio
        self.ratioExemptBytes = ratioExemptBytes
    }
}

/// One compressed stream being read. Input may be cut anywhere. Owned by whoever holds it; not
/// `Sendable`, so it stays on the event loop (or thread) of its holder.
///
/// ```
///        first bytes          end marker            a byte follows (gzip only)
/// empty ────────────► inside ───────────► between ─────────────────────────────► inside
///   any state ── error ──► failed (every later call throws the same error)
/// ```
@safe
package struct Decompressor: ~Copyable {
    /// What the sender says the bytes are.
    package enum Format: Sendable, Hashable {
        /// RFC 1952; several members may follow each other (§2.2).
        case gzip
        /// RFC 1950 as RFC 9110 §8.4.1.2 wants it, or a bare RFC 1951 stream as its note warns of:
        /// told apart by the two header bytes.
        case deflate
    }

    private enum State {
        case empty
        /// The first byte of a `deflate` stream, held until the second tells the wrapper.
        case undecided(UInt8)
        case inside
        case between
        case failed(CompressionError)
    }

    private let format: Format
    private let limits: DecompressionLimits
    private var state = State.empty
    /// On the heap and never moved: zlib's state points back at its `z_stream`.
    private let stream: UnsafeMutablePointer<z_stream>
    /// Bytes taken in and given out so far.
    private(set) package var inputBytes = 0
    private(set) package var outputBytes = 0

    package init(_ format: Format, limits: DecompressionLimits) throws(CompressionError) {
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        let bits = (format == .gzip ? CompressionFormat.gzip : .zlib).zlibWindowBits(15)
        // Z_OK, Z_MEM_ERROR, Z_VERSION_ERROR, Z_STREAM_ERROR (a parameter).
        let code = unsafe inflateInit2_(
            stream, bits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard code == Z_OK else {
            // `self.stream` is not set yet, so the deinitialiser does not run.
            unsafe stream.deallocate()
            throw .library(code: code)
        }
        self.format = format
        self.limits = limits
        unsafe self.stream = stream
    }

    deinit {
        // Z_OK, Z_STREAM_ERROR.
        _ = unsafe inflateEnd(stream)
        unsafe stream.deallocate()
    }

    /// Decompresses all of `input` and appends it to `output`. At most
    /// `limits.maximumOutputBytes + 1` bytes are ever produced; after an error the bytes already
    /// in `output` are of no use and every later call throws the same error.
    package mutating func write(
        _ input: ByteBuffer, into output: inout ByteBuffer
    ) throws(CompressionError) {
        if case .failed(let error) = state { throw error }
        do throws(CompressionError) {
            if let prefix = try chooseWrapper(input) {
                try inflateAll(prefix, into: &output)
            }
        } catch {
            state = .failed(error)
            throw error
        }
    }

    /// Says that no more input comes. Throws `truncated` unless a stream has just ended.
    package mutating func finish() throws(CompressionError) {
        switch state {
        case .between: return
        case .failed(let error): throw error
        case .empty, .undecided, .inside:
            state = .failed(.truncated)
            throw .truncated
        }
    }

    /// The bytes to inflate now, or nil while the wrapper is not known.
    private mutating func chooseWrapper(
        _ input: ByteBuffer
    ) throws(CompressionError) -> ByteBuffer? {
        guard input.readableBytes > 0 else { return nil }
        var input = input
        switch state {
        case .empty where format == .deflate:
            guard input.readableBytes >= 2 else {
                state = .undecided(input.readInteger() ?? 0)
                return nil
            }
        case .undecided(let first):
            var joined = ByteBuffer(integer: first)
            joined.writeBuffer(&input)
            input = joined
        case .empty:
            state = .inside
            return input
        case .inside, .between, .failed:
            return input
        }
        state = .inside
        // RFC 1950 §2.2: method 8 in the low nibble, and the pair divisible by 31.
        let pair = input.getInteger(at: input.readerIndex, as: UInt16.self) ?? 0
        if (pair >> 8) & 0x0F != 8 || pair % 31 != 0 {
            // Z_OK, Z_STREAM_ERROR (inconsistent stream: our mistake).
            let code = unsafe inflateReset2(stream, CompressionFormat.raw.zlibWindowBits(15))
            guard code == Z_OK else { throw .library(code: code) }
        }
        return input
    }

    private mutating func inflateAll(
        _ input: ByteBuffer, into output: inout ByteBuffer
    ) throws(CompressionError) {
        precondition(input.readableBytes <= Int(UInt32.max), "a single input of 4 GiB or more")
        let result: Result<Void, CompressionError> = unsafe input.withUnsafeReadableBytes { bytes in
            // zlib 1.2 does not write through `next_in`; its type merely lacks the const.
            unsafe stream.pointee.next_in = UnsafeMutablePointer(
                mutating: bytes.bindMemory(to: UInt8.self).baseAddress)
            unsafe stream.pointee.avail_in = UInt32(bytes.count)
            defer {
                unsafe stream.pointee.next_in = nil
                unsafe stream.pointee.next_out = nil
            }
            do throws(CompressionError) {
                while try step(into: &output) {}
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    /// One call of inflate; false when it wants more input.
    private mutating func step(into output: inout ByteBuffer) throws(CompressionError) -> Bool {
        let offered = unsafe stream.pointee.avail_in
        if case .between = state {
            if offered == 0 { return false }
            guard format == .gzip else { throw .trailingBytes }
            // Z_OK, Z_STREAM_ERROR (inconsistent stream: our mistake).
            let code = unsafe inflateReset(stream)
            guard code == Z_OK else { throw .library(code: code) }
            state = .inside
        }
        var code = Z_OK
        let room = min(limits.maximumOutputBytes - outputBytes + 1, 64 * 1024)
        let wanted = min(room, max(1024, Int(offered) * 4))
        let produced = unsafe output.writeWithUnsafeMutableBytes(minimumWritableBytes: wanted) {
            space in
            let count = min(space.count, room)
            unsafe stream.pointee.next_out = space.bindMemory(to: UInt8.self).baseAddress
            unsafe stream.pointee.avail_out = UInt32(count)
            // Z_OK, Z_STREAM_END, Z_BUF_ERROR (nothing to do: not fatal), Z_DATA_ERROR,
            // Z_NEED_DICT, Z_MEM_ERROR, Z_STREAM_ERROR (our mistake).
            code = unsafe inflate(stream, Z_NO_FLUSH)
            return count - Int(unsafe stream.pointee.avail_out)
        }
        let left = unsafe stream.pointee.avail_in
        let isFull = unsafe stream.pointee.avail_out == 0
        inputBytes += Int(offered - left)
        outputBytes += produced
        if outputBytes > limits.maximumOutputBytes {
            throw .outputLimitExceeded(maximumBytes: limits.maximumOutputBytes)
        }
        if outputBytes > limits.ratioExemptBytes, outputBytes / limits.maximumRatio > inputBytes {
            throw .ratioLimitExceeded(maximumRatio: limits.maximumRatio)
        }
        switch code {
        case Z_OK: return left > 0 || isFull
        case Z_BUF_ERROR: return false
        case Z_STREAM_END:
            state = .between
            return left > 0
        case Z_DATA_ERROR, Z_NEED_DICT: throw .corrupt(code: code)
        default: throw .library(code: code)
        }
    }

    /// Decompresses `input` as one whole body, appended to `output`.
    package static func decompress(
        _ input: ByteBuffer, _ format: Format, limits: DecompressionLimits,
        into output: inout ByteBuffer
    ) throws(CompressionError) {
        var decompressor = try Decompressor(format, limits: limits)
        try decompressor.write(input, into: &output)
        try decompressor.finish()
    }
}
