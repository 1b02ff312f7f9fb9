internal import CZlib
package import NIOCore

/// One compressed stream in the making. Owned by whoever holds it; not `Sendable`, so it stays on
/// the event loop (or thread) of its holder.
@safe
package struct Compressor: ~Copyable {
    /// How far the reader must be able to get after a `write`.
    package enum Flush: Sendable {
        /// zlib may keep bytes back: best ratio.
        case none
        /// Everything written so far can be decompressed by the reader: one per SSE event.
        case sync
        /// The stream ends; no `write` may follow.
        case finish
    }

    /// On the heap and never moved: zlib's state points back at its `z_stream`.
    private let stream: UnsafeMutablePointer<z_stream>
    private var isFinished = false

    package init(
        _ format: CompressionFormat, parameters: CompressionParameters = .whole
    ) throws(CompressionError) {
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        // Z_OK, Z_MEM_ERROR, Z_STREAM_ERROR (a parameter), Z_VERSION_ERROR.
        let code = unsafe deflateInit2_(
            stream, parameters.level, Z_DEFLATED, format.zlibWindowBits(parameters.windowBits),
            parameters.memoryLevel, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        guard code == Z_OK else {
            // `self.stream` is not set yet, so the deinitialiser does not run.
            unsafe stream.deallocate()
            throw code == Z_STREAM_ERROR
                ? .invalidParameters(code: code) : .library(code: code)
        }
        unsafe self.stream = stream
    }

    deinit {
        // Z_OK, Z_DATA_ERROR (freed before it was finished: the reader went away), Z_STREAM_ERROR.
        _ = unsafe deflateEnd(stream)
        unsafe stream.deallocate()
    }

    /// Compresses all of `input` and appends what zlib lets go of to `output`.
    package mutating func write(_ input: ByteBuffer, into output: inout ByteBuffer, flush: Flush) {
        precondition(!isFinished, "write after the end of a compressed stream")
        let mode: Int32
        switch flush {
        case .none: mode = Z_NO_FLUSH
        case .sync: mode = Z_SYNC_FLUSH
        case .finish:
            mode = Z_FINISH
            isFinished = true
        }
        if input.readableBytes == 0, mode == Z_NO_FLUSH { return }
        unsafe input.withUnsafeReadableBytes { bytes in
            unsafe deflateAll(bytes, into: &output, mode: mode)
        }
    }

    private mutating func deflateAll(
        _ bytes: UnsafeRawBufferPointer, into output: inout ByteBuffer, mode: Int32
    ) {
        precondition(bytes.count <= Int(UInt32.max), "a single input of 4 GiB or more")
        // zlib 1.2 does not write through `next_in`; its type merely lacks the const.
        unsafe stream.pointee.next_in = UnsafeMutablePointer(
            mutating: bytes.bindMemory(to: UInt8.self).baseAddress)
        unsafe stream.pointee.avail_in = UInt32(bytes.count)
        // The bound is exact enough that the loop runs once for a whole answer; it never shrinks
        // below the 6 bytes that would make a sync flush repeat its marker.
        var room = Int(unsafe deflateBound(stream, UInt(bytes.count))) + 16
        while true {
            var code = Z_OK
            unsafe output.writeWithUnsafeMutableBytes(minimumWritableBytes: room) { space in
                let count = min(space.count, Int(UInt32.max))
                unsafe stream.pointee.next_out = space.bindMemory(to: UInt8.self).baseAddress
                unsafe stream.pointee.avail_out = UInt32(count)
                // Z_OK, Z_STREAM_END (only with Z_FINISH), Z_BUF_ERROR (nothing left to do),
                // Z_STREAM_ERROR (our mistake).
                code = unsafe deflate(stream, mode)
                return count - Int(unsafe stream.pointee.avail_out)
            }
            precondition(code != Z_STREAM_ERROR, "deflate: inconsistent stream")
            if code == Z_STREAM_END || code == Z_BUF_ERROR { break }
            if mode != Z_FINISH, unsafe stream.pointee.avail_out > 0 { break }
            room = 1024
        }
        unsafe stream.pointee.next_in = nil
        unsafe stream.pointee.next_out = nil
    }

    /// Compresses `input` as one whole stream, appended to `output`.
    package static func compress(
        _ input: ByteBuffer, _ format: CompressionFormat,
        parameters: CompressionParameters = .whole, into output: inout ByteBuffer
    ) throws(CompressionError) {
        var compressor = try Compressor(format, parameters: parameters)
        compressor.write(input, into: &output, flush: .finish)
    }
}
