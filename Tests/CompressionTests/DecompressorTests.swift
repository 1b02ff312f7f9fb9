import NIOCore
import Testing

@testable import Compression

private let limits = DecompressionLimits(maximumOutputBytes: 1 << 20)

private func compressed(
    _ text: String, _ format: CompressionFormat, parameters: CompressionParameters = .whole
) throws -> ByteBuffer {
    var output = ByteBuffer()
    try Compressor.compress(
        ByteBuffer(string: text), format, parameters: parameters, into: &output)
    return output
}

private func decompressed(
    _ input: ByteBuffer, _ format: Decompressor.Format, limits: DecompressionLimits = limits
) throws(CompressionError) -> String {
    var output = ByteBuffer()
    try Decompressor.decompress(input, format, limits: limits, into: &output)
    return String(buffer: output)
}

/// The error of decompressing `input` as one body, or nil.
private func failure(
    _ input: ByteBuffer, _ format: Decompressor.Format, limits: DecompressionLimits = limits
) -> CompressionError? {
    do throws(CompressionError) {
        _ = try decompressed(input, format, limits: limits)
        return nil
    } catch {
        return error
    }
}

private let sample = #"{"model":"m","messages":[{"role":"user","content":"héllo, 世界 🙂"}]}"#

@Suite struct DecompressorTests {
    @Test(arguments: [CompressionFormat.gzip, .zlib, .raw])
    func readsEveryFormatCutAtEveryPosition(_ format: CompressionFormat) throws {
        let input = try compressed(sample, format)
        for cut in 0...input.readableBytes {
            var decompressor = try Decompressor(
                format == .gzip ? .gzip : .deflate, limits: limits)
            var output = ByteBuffer()
            try decompressor.write(input.getSlice(at: 0, length: cut)!, into: &output)
            try decompressor.write(
                input.getSlice(at: cut, length: input.readableBytes - cut)!, into: &output)
            try decompressor.finish()
            #expect(String(buffer: output) == sample)
            #expect(decompressor.inputBytes == input.readableBytes)
            #expect(decompressor.outputBytes == sample.utf8.count)
        }
    }

    @Test(arguments: [CompressionFormat.gzip, .zlib, .raw])
    func readsByteByByte(_ format: CompressionFormat) throws {
        let input = try compressed(sample, format)
        var decompressor = try Decompressor(format == .gzip ? .gzip : .deflate, limits: limits)
        var output = ByteBuffer()
        for byte in input.readableBytesView {
            try decompressor.write(ByteBuffer(integer: byte), into: &output)
        }
        try decompressor.finish()
        #expect(String(buffer: output) == sample)
    }

    @Test(arguments: [CompressionFormat.gzip, .zlib, .raw])
    func refusesEveryTruncation(_ format: CompressionFormat) throws {
        let input = try compressed(sample, format)
        for length in 0..<input.readableBytes {
            let part = input.getSlice(at: 0, length: length)!
            #expect(failure(part, format == .gzip ? .gzip : .deflate) == .truncated)
        }
    }

    @Test func refusesGarbage() {
        #expect(failure(ByteBuffer(string: "not gzip at all"), .gzip) == .corrupt(code: -3))
        #expect(failure(ByteBuffer(bytes: [0xFF, 0xFF, 0xFF, 0xFF]), .deflate) != nil)
        #expect(failure(ByteBuffer(string: #"{"model": 1}"#), .deflate) != nil)
    }

    @Test func noBitFlipInTheWrapperPasses() throws {
        let input = try compressed(sample, .gzip)
        let end = input.readableBytes
        // The identification, the checksum and the length.
        for position in Array(0..<3) + Array((end - 8)..<end) {
            var damaged = input
            let byte: UInt8 = damaged.getInteger(at: position)!
            damaged.setInteger(byte ^ 0x10, at: position)
            #expect(failure(damaged, .gzip) == .corrupt(code: -3), "position \(position)")
        }
    }

    @Test func refusesAPresetDictionary() {
        // CMF 0x78, FLG with FDICT set and the check bits right, then a dictionary id.
        let input = ByteBuffer(bytes: [0x78, 0x20, 0, 0, 0, 1, 0x03, 0x00])
        #expect(failure(input, .deflate) == .corrupt(code: 2))
    }

    @Test func readsConcatenatedMembers() throws {
        var input = try compressed("one ", .gzip)
        var second = try compressed("", .gzip)
        var third = try compressed("two", .gzip)
        input.writeBuffer(&second)
        input.writeBuffer(&third)
        #expect(try decompressed(input, .gzip) == "one two")
        for cut in 1..<input.readableBytes {
            var decompressor = try Decompressor(.gzip, limits: limits)
            var output = ByteBuffer()
            try decompressor.write(input.getSlice(at: 0, length: cut)!, into: &output)
            try decompressor.write(
                input.getSlice(at: cut, length: input.readableBytes - cut)!, into: &output)
            try decompressor.finish()
            #expect(String(buffer: output) == "one two")
        }
    }

    @Test func refusesBytesAfterTheEnd() throws {
        var zlib = try compressed("one", .zlib)
        zlib.writeString("x")
        #expect(failure(zlib, .deflate) == .trailingBytes)
        var gzip = try compressed("one", .gzip)
        gzip.writeString("xy")
        #expect(failure(gzip, .gzip) == .corrupt(code: -3))
    }

    @Test func theLimitIsExact() throws {
        let input = try compressed(String(repeating: "a", count: 1000), .gzip)
        let exact = DecompressionLimits(maximumOutputBytes: 1000)
        let less = DecompressionLimits(maximumOutputBytes: 999)
        #expect(try decompressed(input, .gzip, limits: exact).utf8.count == 1000)
        #expect(failure(input, .gzip, limits: less) == .outputLimitExceeded(maximumBytes: 999))
        let none = DecompressionLimits(maximumOutputBytes: 0)
        #expect(try decompressed(compressed("", .gzip), .gzip, limits: none) == "")
    }

    @Test func aBombStopsAtTheLimit() throws {
        var bomb = ByteBuffer()
        var compressor = try Compressor(.gzip)
        let zeros = ByteBuffer(repeating: 0, count: 1 << 20)
        for _ in 0..<64 { compressor.write(zeros, into: &bomb, flush: .none) }
        compressor.write(ByteBuffer(), into: &bomb, flush: .finish)
        #expect(bomb.readableBytes < 80_000)

        var output = ByteBuffer()
        var absolute = try Decompressor(
            .gzip, limits: DecompressionLimits(maximumOutputBytes: 100_000))
        #expect(throws: CompressionError.outputLimitExceeded(maximumBytes: 100_000)) {
            try absolute.write(bomb, into: &output)
        }
        #expect(output.readableBytes == 100_001)
        // The error stays.
        #expect(throws: CompressionError.outputLimitExceeded(maximumBytes: 100_000)) {
            try absolute.write(ByteBuffer(integer: UInt8(0)), into: &output)
        }
        #expect(throws: CompressionError.outputLimitExceeded(maximumBytes: 100_000)) {
            try absolute.finish()
        }

        output = ByteBuffer()
        var ratio = try Decompressor(
            .gzip, limits: DecompressionLimits(maximumOutputBytes: 1 << 30))
        #expect(throws: CompressionError.ratioLimitExceeded(maximumRatio: 250)) {
            try ratio.write(bomb, into: &output)
        }
        #expect(output.readableBytes < 2 << 20)
    }

    @Test func randomBytesNeverTrap() throws {
        var generator = RandomSource(state: 1)
        for _ in 0..<2_000 {
            let count = Int.random(in: 0..<200, using: &generator)
            var bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
            if count > 3, Bool.random(using: &generator) {
                bytes.replaceSubrange(0..<3, with: [0x1F, 0x8B, 8])
            }
            _ = failure(ByteBuffer(bytes: bytes), .gzip)
            _ = failure(ByteBuffer(bytes: bytes), .deflate)
        }
    }
}
