import NIOCore
import Testing

@testable import GRPC

@Suite struct GRPCMessageReaderTests {
    @Test(arguments: GRPCEncoding.allCases)
    func readsWhatTheWriterCompressed(_ encoding: GRPCEncoding) throws {
        let message = ByteBuffer(string: String(repeating: "token ", count: 500))
        let framed = GRPCMessageWriter(encoding: encoding, thresholdBytes: 100).frame(message)
        #expect(framed.readableBytes < 500)
        var reader = try GRPCMessageReader(
            maxMessageBytes: 4096, encodingName: encoding.rawValue)
        reader.append(framed)
        #expect(try reader.next() == message)
    }

    @Test func leavesShortAndIncompressibleMessagesAlone() {
        let writer = GRPCMessageWriter(encoding: .gzip, thresholdBytes: 10)
        #expect(writer.frame(ByteBuffer(string: "short")).getInteger(at: 0, as: UInt8.self) == 0)
        let noise = ByteBuffer(bytes: (0..<64).map { UInt8($0 &* 37 % 251) })
        #expect(writer.frame(noise).getInteger(at: 0, as: UInt8.self) == 0)
    }

    @Test func refusesAnUnknownEncoding() {
        let status = #expect(throws: GRPCStatus.self) {
            try GRPCMessageReader(maxMessageBytes: 10, encodingName: "snappy")
        }
        #expect(status?.code == .unimplemented)
    }

    @Test func refusesACompressedMessageWithoutEncoding() throws {
        var reader = try GRPCMessageReader(maxMessageBytes: 10, encodingName: "identity")
        reader.append(ByteBuffer(bytes: [1, 0, 0, 0, 1, 0]))
        let status = #expect(throws: GRPCStatus.self) { _ = try reader.next() }
        #expect(status?.code == .internalError)
    }

    @Test func limitsTheDecompressedSize() throws {
        let bomb = try #require(
            GRPCEncoding.gzip.compress(ByteBuffer(repeating: 0, count: 100_000)))
        #expect(bomb.readableBytes < 1000)
        var reader = try GRPCMessageReader(maxMessageBytes: 1000, encodingName: "gzip")
        var framed = ByteBuffer()
        framed.writeGRPCPrefix(isCompressed: true, length: bomb.readableBytes)
        framed.writeImmutableBuffer(bomb)
        reader.append(framed)
        let status = #expect(throws: GRPCStatus.self) { _ = try reader.next() }
        #expect(status?.code == .resourceExhausted)
    }

    @Test func refusesBytesThatAreNotGzip() throws {
        var reader = try GRPCMessageReader(maxMessageBytes: 1000, encodingName: "gzip")
        reader.append(ByteBuffer(bytes: [1, 0, 0, 0, 3, 1, 2, 3]))
        let status = #expect(throws: GRPCStatus.self) { _ = try reader.next() }
        #expect(status?.code == .internalError)
    }

    @Test func creditsEveryByteOnceWhenAutomatic() throws {
        try credits(isAutomatic: true)
    }

    @Test func creditsEveryByteOnceWhenReleased() throws {
        try credits(isAutomatic: false)
    }

    /// However the bytes are cut, the credit at the end is their number.
    private func credits(isAutomatic: Bool) throws {
        let wire = [3, 0, 40, 1].flatMap {
            GRPCFrameDecoderTests.frame(Array(repeating: 1, count: $0))
        }
        for size in 1...wire.count {
            var reader = try GRPCMessageReader(maxMessageBytes: 100, encodingName: nil)
            reader.isAutomatic = isAutomatic
            var credited = 0
            for start in stride(from: 0, to: wire.count, by: size) {
                reader.append(ByteBuffer(bytes: wire[start..<min(start + size, wire.count)]))
                while try reader.next() != nil {
                    if !isAutomatic { reader.release() }
                    credited += reader.takeDue()
                }
                credited += reader.takeDue()
            }
            #expect(credited == wire.count, "pieces of \(size)")
        }
    }

    @Test func withholdsWholeMessagesOnlyUntilTheyAreReleased() throws {
        var reader = try GRPCMessageReader(maxMessageBytes: 100, encodingName: nil)
        reader.isAutomatic = false
        reader.append(ByteBuffer(bytes: GRPCFrameDecoderTests.frame([1, 2]) + [0, 0, 0]))
        #expect(try reader.next() != nil)
        #expect(try reader.next() == nil)
        // The three bytes of the unfinished message.
        #expect(reader.takeDue() == 3)
        reader.release()
        #expect(reader.takeDue() == 7)
        reader.append(ByteBuffer(bytes: [0, 1, 5]))
        #expect(try reader.next() != nil)
        reader.release()
        #expect(reader.takeDue() == 3)
    }
}
