import Compression
import NIOCore
import Testing

@testable import HTTPTransport

@Suite struct RequestDecodingTests {
    private func harness(
        _ service: RecordingService, bodyBytes: Int = 1 << 20, limits: HTTPLimits = HTTPLimits()
    ) throws -> HTTP1Harness {
        try HTTP1Harness(
            service, through: RequestDecodingService(service, bodyBytes: bodyBytes), limits: limits)
    }

    private func coded(
        _ text: String, _ format: CompressionFormat = .gzip
    ) throws -> ByteBuffer {
        var output = ByteBuffer()
        try Compressor.compress(ByteBuffer(string: text), format, into: &output)
        return output
    }

    private func post(_ coding: String, _ body: ByteBuffer) -> ByteBuffer {
        var request = ByteBuffer(
            string: "POST / HTTP/1.1\r\nHost: h\r\nContent-Encoding: \(coding)\r\n"
                + "Content-Length: \(body.readableBytes)\r\n\r\n")
        request.writeImmutableBuffer(body)
        return request
    }

    @Test(arguments: [
        ("gzip", CompressionFormat.gzip), ("X-GZIP", .gzip), ("deflate", .zlib),
        ("deflate", .raw), ("identity, gzip", .gzip),
    ])
    func decodes(_ name: String, _ format: CompressionFormat) throws {
        let service = RecordingService.echo()
        let harness = try harness(service)
        let answer = try harness.send(post(name, coded("hello", format)))
        #expect(answer.hasSuffix("\r\n\r\nPOST / hello"))
        #expect(service.exchanges[0].head.fields["content-encoding"] == nil)
        #expect(service.exchanges[0].head.fields["content-length"] == nil)
        #expect(service.exchanges[0].closed == [nil])
        #expect(harness.isOpen)
        harness.finish()
    }

    @Test func plainBodiesPass() throws {
        let service = RecordingService.echo()
        let harness = try harness(service)
        #expect(
            try harness.send(post("identity", ByteBuffer(string: "hello")))
                .hasSuffix("POST / hello"))
        harness.finish()
    }

    @Test func unknownCodingsAreRefused() throws {
        for name in ["br", "zstd", "gzip, gzip", "gzip, br", "compress"] {
            let service = RecordingService.echo()
            let harness = try harness(service)
            let answer = try harness.send(post(name, coded("hello")))
            #expect(answer.hasPrefix("HTTP/1.1 415 Unsupported Media Type\r\n"))
            #expect(answer.contains("accept-encoding: gzip, deflate\r\n"))
            #expect(service.exchanges.isEmpty)
            harness.finish()
        }
    }

    @Test func garbageAndTruncationAreMalformed() throws {
        let whole = try coded("hello")
        let part = whole.getSlice(at: 0, length: whole.readableBytes - 1)!
        for body in [ByteBuffer(string: "not gzip"), part] {
            let service = RecordingService.echo()
            let harness = try harness(service)
            #expect(try harness.send(post("gzip", body)).hasPrefix("HTTP/1.1 400 "))
            #expect(service.exchanges[0].closed == [.protocolViolation])
            #expect(!service.exchanges[0].ended)
            #expect(!harness.isOpen)
            harness.finish()
        }
    }

    @Test func bombsAreTooLarge() throws {
        let service = RecordingService.echo()
        let harness = try harness(service, bodyBytes: 10_000)
        let bomb = try coded(String(repeating: "a", count: 1_000_000))
        #expect(bomb.readableBytes < 3_000)
        #expect(try harness.send(post("gzip", bomb)).hasPrefix("HTTP/1.1 413 "))
        #expect(service.exchanges[0].closed == [.bodyTooLarge])
        harness.finish()
    }

    @Test func theWindowOpensAsDecodedBytesAreConsumed() throws {
        var limits = HTTPLimits()
        limits.streamWindowBytes = 100
        let service = RecordingService()
        service.consumes = false
        let harness = try harness(service, limits: limits)
        let body = try coded(String(repeating: "a", count: 100_000))
        #expect(body.readableBytes > 100)
        let request = post("gzip", body)
        // All but the last byte.
        try harness.send(request.getSlice(at: 0, length: request.readableBytes - 1)!)
        let exchange = service.exchanges[0]
        #expect(exchange.body.utf8.count == 100_000)
        harness.channel.read()
        let held = harness.reads.count
        exchange.stream.consume(100)
        #expect(harness.reads.count == held)
        exchange.stream.consume(99_900)
        #expect(harness.reads.count == held + 1)
        try harness.send(request.getSlice(at: request.readableBytes - 1, length: 1)!)
        #expect(exchange.ended)
        harness.finish()
    }
}
