import NIOCore
import Testing

@testable import HTTPTransport

/// One row: bytes, and the status that answers them (nil: they are served).
private struct Row: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let bytes: String
    let status: Int?

    init(_ name: String, _ bytes: String, _ status: Int?) {
        testDescription = name
        self.bytes = bytes
        self.status = status
    }
}

private func post(_ fields: String, _ body: String) -> String {
    "POST / HTTP/1.1\r\nHost: h\r\n\(fields)\r\n\r\n\(body)"
}

private func chunked(_ body: String) -> String { post("Transfer-Encoding: chunked", body) }

private func get(_ target: String, _ fields: String = "Host: h\r\n") -> String {
    "GET \(target) HTTP/1.1\r\n\(fields)\r\n"
}

/// RFC 9112 §11.2 and the rules it rests on. "smuggled" must never be served.
private let framing: [Row] = [
    Row(
        "length and chunked", post("Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
        400),
    Row(
        "chunked and length", post("Transfer-Encoding: chunked\r\nContent-Length: 5", "0\r\n\r\n"),
        400),
    Row("two different lengths", post("Content-Length: 1\r\nContent-Length: 2", "ab"), 400),
    Row("two equal lengths", post("Content-Length: 1\r\nContent-Length: 1", "a"), 400),
    Row("a list of lengths", post("Content-Length: 1, 1", "a"), 400),
    Row("signed length", post("Content-Length: +1", "a"), 400),
    Row("negative length", post("Content-Length: -1", "a"), 400),
    Row("hexadecimal length", post("Content-Length: 0x1", "a"), 400),
    Row("empty length", post("Content-Length: ", "a"), 400),
    Row("length with a space inside", post("Content-Length: 1 1", "a"), 400),
    Row("length beyond 64 bits", post("Content-Length: 99999999999999999999", "a"), 400),
    Row("length beyond the limit", post("Content-Length: 9223372036854775807", "a"), 413),
    Row("length with a blank behind", post("Content-Length: 1 ", "a"), nil),
    Row("chunked is not last", post("Transfer-Encoding: chunked, gzip", "0\r\n\r\n"), 400),
    Row("only gzip", post("Transfer-Encoding: gzip", "a"), 400),
    Row("gzip under chunked", post("Transfer-Encoding: gzip, chunked", "0\r\n\r\n"), 501),
    Row("twice chunked", post("Transfer-Encoding: chunked, chunked", "0\r\n\r\n"), 400),
    Row(
        "chunked in two fields",
        post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n"), 400),
    Row(
        "chunked and identity",
        post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "0\r\n\r\n"), 400),
    Row("xchunked", post("Transfer-Encoding: xchunked", "0\r\n\r\n"), 400),
    Row("quoted chunked", post("Transfer-Encoding: \"chunked\"", "0\r\n\r\n"), 400),
    Row("vertical tab before chunked", post("Transfer-Encoding: \u{0B}chunked", "0\r\n\r\n"), 400),
    Row("empty coding", post("Transfer-Encoding:", "0\r\n\r\n"), 400),
    Row("chunked with a comma behind", post("Transfer-Encoding: chunked,", "0\r\n\r\n"), 400),
    Row(
        "chunked in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400
    ),
    Row("chunked in capitals", post("Transfer-Encoding: CHUNKED", "0\r\n\r\n"), nil),
    Row("line feed behind a chunk size", chunked("1\na\r\n0\r\n\r\n"), 400),
    Row("line feed behind chunk data", chunked("1\r\na\n0\r\n\r\n"), 400),
    Row("line feed in an extension", chunked("1;a\nb\r\na\r\n0\r\n\r\n"), 400),
    Row("chunk longer than its size", chunked("1\r\nab\r\n0\r\n\r\n"), 400),
    Row("blank behind a chunk size", chunked("1 \r\na\r\n0\r\n\r\n"), 400),
    Row("0x in a chunk size", chunked("0x1\r\na\r\n0\r\n\r\n"), 400),
    Row("chunk size beyond 64 bits", chunked("fffffffffffffffff\r\na\r\n0\r\n\r\n"), 400),
    Row("empty chunk size", chunked("\r\na\r\n0\r\n\r\n"), 400),
    Row("length in trailers", chunked("0\r\nContent-Length: 4\r\n\r\n"), 400),
    Row("chunk extension", chunked("1;a=\"b\"\r\na\r\n0\r\n\r\n"), nil),
]

private let heads: [Row] = [
    Row("line feeds only", "GET / HTTP/1.1\nHost: h\n\n", 505),
    Row("line feed behind a field", "GET / HTTP/1.1\r\nHost: h\nX: y\r\n\r\n", 400),
    Row("line feed behind the head", "GET / HTTP/1.1\r\nHost: h\r\n\n", 400),
    Row("carriage return in a value", get("/", "Host: h\r\nX: a\rb\r\n"), 400),
    Row("folded field", get("/", "Host: h\r\nX: a\r\n b\r\n"), 400),
    Row("blank before the first field", get("/", " Host: h\r\n"), 400),
    Row("blank before the colon", get("/", "Host : h\r\n"), 400),
    Row("tab before the colon", get("/", "Host\t: h\r\n"), 400),
    Row("no colon", get("/", "Host: h\r\nfoo\r\n"), 400),
    Row("empty name", get("/", "Host: h\r\n: x\r\n"), 400),
    Row("NUL in a value", get("/", "Host: h\r\nX: a\0b\r\n"), 400),
    Row("control in a value", get("/", "Host: h\r\nX: a\u{01}b\r\n"), 400),
    Row("no Host", get("/", ""), 400),
    Row("two Hosts", get("/", "Host: h\r\nHost: h\r\n"), 400),
    Row("two Hosts and an absolute target", get("http://h/", "Host: h\r\nHost: i\r\n"), 400),
    Row("Host with user information", get("/", "Host: a@h\r\n"), 400),
    Row("Host with a path", get("/", "Host: h/x\r\n"), 400),
    Row("Host with a list", get("/", "Host: h, i\r\n"), 400),
    Row("empty Host", get("/", "Host:\r\n"), nil),
    Row("HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n", nil),
    Row("HTTP/1.2", "GET / HTTP/1.2\r\nHost: h\r\n\r\n", 505),
    Row("HTTP/2.0", "GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505),
    Row("HTTP/0.9", "GET / HTTP/0.9\r\nHost: h\r\n\r\n", 505),
    Row("another protocol", "GET / ICE/1.0\r\nHost: h\r\n\r\n", 400),
    Row("TLS on the plain port", "\u{16}\u{03}\u{01}\u{02}\0\u{01}", 400),
    Row("unknown method", "BREW / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    Row("lower-case method", "get / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    Row("target with a fragment", get("/a#b"), 400),
    Row("target with a backslash", get("/\\h"), 400),
    Row("target with a control", get("/\u{01}"), 400),
    Row("target beyond ASCII", get("/\u{E9}"), 400),
    Row("target without a slash", get("a"), 400),
    Row("target of another scheme", get("ftp://h/"), 400),
    Row("absolute target without host", get("http:///x"), 400),
    Row("absolute target with user information", get("http://a:b@h/"), 400),
    Row("* with GET", get("*"), 400),
    Row("* with OPTIONS", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", nil),
    Row("CONNECT", "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n", 501),
    Row("empty lines first", "\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", nil),
]

@Suite struct HTTP1SmugglingTests {
    @Test(arguments: framing + heads)
    fileprivate func answersAsTheTableSays(_ row: Row) throws {
        for isSplit in [false, true] {
            let harness = try HTTP1Harness(.echo())
            let bytes = row.bytes + "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
            var answer = ""
            if isSplit {
                for scalar in bytes.unicodeScalars { answer += try harness.send(String(scalar)) }
            } else {
                answer = try harness.send(bytes)
            }
            if let status = row.status {
                #expect(answer.hasPrefix("HTTP/1.1 \(status) "), "\(answer)")
                #expect(answer.contains("connection: close\r\n"))
                #expect(!answer.contains("HTTP/1.1 200"))
                #expect(!harness.isOpen)
                // Who was told of the request was told of its end.
                for exchange in harness.service.exchanges {
                    #expect(exchange.closed == [.protocolViolation])
                }
            } else {
                #expect(answer.hasPrefix("HTTP/1.1 200 "), "\(answer)")
                #expect(harness.service.exchanges[0].closed == [nil])
            }
            harness.finish()
        }
    }

    @Test func absoluteTargetsOverrideHost() throws {
        let harness = try HTTP1Harness()
        _ = try harness.send(get("HTTP://api.example:81/v1?x=1", "Host: other\r\n"))
        _ = try harness.send(get("http://api.example", "Host: other\r\n"))
        _ = try harness.send(get("http://[::1]:8080?q", "Host: other\r\n"))
        let heads = harness.service.exchanges.map(\.head)
        #expect(heads.map(\.authority) == ["api.example:81", "api.example", "[::1]:8080"])
        #expect(heads.map(\.path) == ["/v1?x=1", "/", "/?q"])
        harness.finish()
    }

    @Test func anErrorBehindAPipelinedRequestIsAnsweredAfterIt() throws {
        let service = RecordingService()
        let harness = try HTTP1Harness(service)
        #expect(try harness.send(get("/1") + "garbage\r\n\r\n") == "")
        service.exchanges[0].answer("1")
        let answer = try harness.received()
        #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(answer.contains("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n"))
        #expect(!harness.isOpen)
        #expect(service.exchanges[0].closed == [nil])
        harness.finish()
    }

    @Test func aBadBodyUnderABegunResponseCutsIt() throws {
        let service = RecordingService()
        service.onAccept = { exchange in
            exchange.stream.send(HTTPResponseHead(status: 200), end: false)
        }
        let harness = try HTTP1Harness(service)
        _ = try harness.send(chunked("1\r\na\r\n"))
        #expect(try harness.send("zz\r\n") == "")
        #expect(service.exchanges[0].closed == [.protocolViolation])
        #expect(!harness.isOpen)
        harness.finish()
    }
}
