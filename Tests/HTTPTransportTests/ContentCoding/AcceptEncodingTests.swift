import Compression
import NIOCore
import Testing

@testable import HTTPTransport

@Suite struct AcceptEncodingTests {
    @Test(arguments: [
        ("gzip", true), ("gzip, deflate, br", true), ("deflate", false), ("", false),
        ("*", true), ("*;q=0", false), ("gzip;q=0", false), ("gzip;q=0, *", false),
        ("GZIP", true), ("x-gzip", true), (" gzip ; q=0.5 ", true), ("gzip;q=0.001", true),
        ("gzip;q=0.000", false), ("gzip;q=0.5, identity", false),
        ("gzip;q=0.5, identity;q=0.4", true), ("identity;q=0", false), ("*;q=0.5", true),
        ("gzip;q=1.001", false), ("gzip;q=2", false), ("gzip;q=", false), ("gzip;q=0.1234", false),
        ("gzip;x=1", false), ("gzip;q=-1", false), ("gzip;q=1.", true), (",,gzip,,", true),
        ("gzip;q=0.+1", false),
    ])
    func prefersGzip(_ value: String, _ expected: Bool) {
        #expect(AcceptEncoding([value]).prefersGzip == expected)
    }

    @Test func readsAllFields() {
        #expect(AcceptEncoding(["br", "gzip"]).prefersGzip)
        #expect(!AcceptEncoding([]).prefersGzip)
    }
}

@Suite struct ResponseCompressionTests {
    private let body = ByteBuffer(string: String(repeating: #"{"a":1},"#, count: 500))

    private func encode(
        _ body: ByteBuffer, accepting value: String?, fields: HTTPFields = HTTPFields()
    ) -> (HTTPFields, ByteBuffer) {
        var request = HTTPRequestHead(method: "GET", authority: "h", path: "/")
        request.fields["accept-encoding"] = value
        var head = HTTPResponseHead(status: 200, fields: fields)
        let result = ResponseCompression().encode(body, head: &head, for: request)
        return (head.fields, result)
    }

    @Test func compressesLongAnswersThatTheClientTakes() throws {
        let (fields, result) = encode(body, accepting: "gzip")
        #expect(fields["content-encoding"] == "gzip")
        #expect(fields["content-length"] == "\(result.readableBytes)")
        #expect(fields["vary"] == "accept-encoding")
        #expect(result.readableBytes < 200)
        var plain = ByteBuffer()
        try Decompressor.decompress(
            result, .gzip, limits: DecompressionLimits(maximumOutputBytes: 10_000), into: &plain)
        #expect(plain == body)
    }

    @Test func leavesTheRestPlain() {
        let (fields, result) = encode(body, accepting: nil)
        #expect(result == body)
        #expect(fields["content-encoding"] == nil)
        #expect(fields["vary"] == "accept-encoding")
        let (short, _) = encode(ByteBuffer(string: "{}"), accepting: "gzip")
        #expect(short == ["content-length": "2"])
        let (coded, same) = encode(body, accepting: "gzip", fields: ["content-encoding": "br"])
        #expect(same == body && coded["content-encoding"] == "br")
        let (varied, _) = encode(
            body, accepting: "gzip", fields: ["vary": "Origin, Accept-Encoding"])
        #expect(varied.values(named: "vary") == ["Origin, Accept-Encoding"])
    }

    @Test func eventStreamsNeedTheSetting() throws {
        var request = HTTPRequestHead(method: "GET", authority: "h", path: "/")
        request.fields["accept-encoding"] = "gzip"
        var compression = ResponseCompression()
        var head = HTTPResponseHead(status: 200)
        #expect(compression.eventStreamCompressor(head: &head, for: request) == nil)
        #expect(head.fields.isEmpty)
        compression.compressesEventStreams = true
        let stream = try #require(compression.eventStreamCompressor(head: &head, for: request))
        #expect(head.fields["content-encoding"] == "gzip")
        var decompressor = try Decompressor(
            .gzip, limits: DecompressionLimits(maximumOutputBytes: 10_000))
        var output = ByteBuffer()
        try decompressor.write(stream.encode(ByteBuffer(string: "data: 1\n\n")), into: &output)
        #expect(String(buffer: output) == "data: 1\n\n")
        try decompressor.write(stream.finish(ByteBuffer(string: "data: 2\n\n")), into: &output)
        try decompressor.finish()
        #expect(String(buffer: output) == "data: 1\n\ndata: 2\n\n")
    }
}
