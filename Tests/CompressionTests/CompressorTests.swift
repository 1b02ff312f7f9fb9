import NIOCore
import Testing

@testable import Compression

@Suite struct CompressorTests {
    @Test(arguments: [CompressionParameters.whole, .small])
    func everySyncFlushIsReadableAtOnce(_ parameters: CompressionParameters) throws {
        var compressor = try Compressor(.gzip, parameters: parameters)
        var decompressor = try Decompressor(
            .gzip, limits: DecompressionLimits(maximumOutputBytes: 1 << 20))
        var wire = 0
        var plain = 0
        for index in 0..<300 {
            let event = #"data: {"id":"chatcmpl-1","choices":[{"delta":{"content":"\#(index)"}}]}"#
            var part = ByteBuffer()
            compressor.write(ByteBuffer(string: event), into: &part, flush: .sync)
            var read = ByteBuffer()
            try decompressor.write(part, into: &read)
            #expect(String(buffer: read) == event)
            wire += part.readableBytes
            plain += event.utf8.count
        }
        var end = ByteBuffer()
        compressor.write(ByteBuffer(), into: &end, flush: .finish)
        var nothing = ByteBuffer()
        try decompressor.write(end, into: &nothing)
        try decompressor.finish()
        #expect(nothing.readableBytes == 0)
        #expect(wire * 4 < plain)
    }

    @Test func aLongIncompressibleInputSurvivesInSmallMode() throws {
        var generator = RandomSource(state: 1)
        let bytes = (0..<300_000).map { _ in UInt8.random(in: 0...255, using: &generator) }
        var wire = ByteBuffer(string: "kept")
        try Compressor.compress(
            ByteBuffer(bytes: bytes), .zlib, parameters: .small, into: &wire)
        #expect(wire.readString(length: 4) == "kept")
        var output = ByteBuffer()
        try Decompressor.decompress(
            wire, .deflate, limits: DecompressionLimits(maximumOutputBytes: 300_000),
            into: &output)
        #expect(Array(output.readableBytesView) == bytes)
    }

    @Test func manySmallWritesWithoutFlush() throws {
        var compressor = try Compressor(.raw, parameters: .small)
        var wire = ByteBuffer()
        var expected = ""
        for index in 0..<5_000 {
            let text = "\(index),"
            expected += text
            compressor.write(ByteBuffer(string: text), into: &wire, flush: .none)
        }
        compressor.write(ByteBuffer(), into: &wire, flush: .finish)
        var output = ByteBuffer()
        try Decompressor.decompress(
            wire, .deflate, limits: DecompressionLimits(maximumOutputBytes: 1 << 20),
            into: &output)
        #expect(String(buffer: output) == expected)
    }

    @Test func refusesParametersOutOfRange() {
        for parameters in [
            CompressionParameters(level: 10, windowBits: 15, memoryLevel: 8),
            CompressionParameters(level: 6, windowBits: 16, memoryLevel: 8),
            CompressionParameters(level: 6, windowBits: 15, memoryLevel: 0),
        ] {
            #expect(throws: CompressionError.invalidParameters(code: -2)) {
                _ = try Compressor(.zlib, parameters: parameters)
            }
        }
    }

    @Test func theSmallModeTakesSixKibibytes() {
        #expect(CompressionParameters.small.stateBytes == 6 * 1024)
        #expect(CompressionParameters.whole.stateBytes == 256 * 1024)
    }
}
