import NIOCore
import Testing

@testable import GRPC

@Suite struct GRPCFrameDecoderTests {
    static func frame(_ payload: [UInt8], compressed: Bool = false) -> [UInt8] {
        var buffer = ByteBuffer()
        buffer.writeGRPCPrefix(isCompressed: compressed, length: payload.count)
        buffer.writeBytes(payload)
        return Array(buffer.readableBytesView)
    }

    @Test func cutsMessagesAtEverySplitPosition() throws {
        let payloads: [[UInt8]] = [[1, 2, 3], [], Array(repeating: 7, count: 300), [9]]
        let wire = payloads.flatMap { Self.frame($0) }
        for first in 0...wire.count {
            for second in stride(from: first, through: wire.count, by: 37) {
                var decoder = GRPCFrameDecoder(maxMessageBytes: 300)
                var got: [[UInt8]] = []
                for piece in [wire[..<first], wire[first..<second], wire[second...]] {
                    decoder.append(ByteBuffer(bytes: piece))
                    while let frame = try decoder.next() {
                        got.append(Array(frame.payload.readableBytesView))
                    }
                }
                try decoder.finish()
                #expect(got == payloads, "split at \(first) and \(second)")
            }
        }
    }

    @Test func cutsMessagesByteByByte() throws {
        let wire = Self.frame([1, 2, 3], compressed: true) + Self.frame([4])
        var decoder = GRPCFrameDecoder(maxMessageBytes: 10)
        var frames: [GRPCFrame] = []
        for byte in wire {
            decoder.append(ByteBuffer(bytes: [byte]))
            while let frame = try decoder.next() { frames.append(frame) }
        }
        #expect(frames.map(\.isCompressed) == [true, false])
        #expect(frames.map { Array($0.payload.readableBytesView) } == [[1, 2, 3], [4]])
    }

    @Test func refusesALargeMessageAtItsPrefix() {
        var decoder = GRPCFrameDecoder(maxMessageBytes: 100)
        decoder.append(ByteBuffer(bytes: [0, 0, 0, 0, 101]))
        let status = #expect(throws: GRPCStatus.self) { _ = try decoder.next() }
        #expect(status?.code == .resourceExhausted)
    }

    @Test func acceptsAMessageOfExactlyTheLimit() throws {
        var decoder = GRPCFrameDecoder(maxMessageBytes: 100)
        decoder.append(ByteBuffer(bytes: Self.frame(Array(repeating: 1, count: 100))))
        #expect(try decoder.next()?.payload.readableBytes == 100)
    }

    @Test func refusesAnUndefinedFlag() {
        var decoder = GRPCFrameDecoder(maxMessageBytes: 100)
        decoder.append(ByteBuffer(bytes: [2]))
        let status = #expect(throws: GRPCStatus.self) { _ = try decoder.next() }
        #expect(status?.code == .internalError)
    }

    @Test func refusesAnEndInsideAMessage() throws {
        var decoder = GRPCFrameDecoder(maxMessageBytes: 100)
        decoder.append(ByteBuffer(bytes: [0, 0, 0, 0, 2, 1]))
        #expect(try decoder.next() == nil)
        let status = #expect(throws: GRPCStatus.self) { try decoder.finish() }
        #expect(status?.code == .internalError)
    }

    @Test func doesNotReserveWhatAPrefixAnnounces() throws {
        var decoder = GRPCFrameDecoder(maxMessageBytes: 1 << 30)
        decoder.append(ByteBuffer(bytes: [0, 0x3F, 0xFF, 0xFF, 0xFF, 1]))
        #expect(try decoder.next() == nil)
        decoder.append(ByteBuffer(bytes: [2]))
        #expect(try decoder.next() == nil)
        #expect(decoder.pendingBytes == 7)
    }

    @Test func replaysTheCorpus() throws {
        let inputs = try Corpus.inputs()
        #expect(inputs.count >= 8)
        for input in inputs { fuzzGRPCFrames(input.bytes) }
    }

    @Test func survivesRandomBytes() {
        var random = SplitMix(seed: Corpus.seed)
        for _ in 0..<2000 {
            let length = Int.random(in: 0...200, using: &random)
            // Small bytes make plausible prefixes.
            let small = Bool.random(using: &random)
            fuzzGRPCFrames(
                (0..<length).map { _ in UInt8.random(in: 0...(small ? 6 : 255), using: &random) })
        }
    }
}
