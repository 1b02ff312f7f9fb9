import NIOCore
import Testing

@testable import HTTPTransport

/// RFC 9113 §8: what is malformed, and what only looks odd.
@Suite struct HTTP2MalformedTests {
    private func fields(_ changes: [(String, String)]) -> [(String, String)] {
        var fields = RawFrames.get
        for (name, value) in changes {
            if let index = fields.firstIndex(where: { $0.0 == name }) {
                fields[index].1 = value
            } else {
                fields.append((name, value))
            }
        }
        return fields
    }

    @Test(arguments: [
        ("Accept", "x"), ("connection", "close"), ("keep-alive", "1"),
        ("proxy-connection", "x"), ("transfer-encoding", "chunked"), ("upgrade", "h2c"),
        ("te", "gzip"), ("x-space", " padded"), ("x-space", "padded "), ("x-tab", "\tpadded"),
        ("x-line", "a\r\nb: c"), ("x-nul", "a\u{0}b"), ("bad name", "x"), ("", "x"),
        (":unknown", "x"), (":method", "GET"), (":status", "200"), (":path", ""),
        (":path", "no-slash"), (":path", "*"), (":authority", ""), (":scheme", ""),
        (":method", ""), (":method", "GE T"), ("content-length", "-1"),
        ("content-length", "1, 1"), ("content-length", "5"),
    ])
    func resetsTheStream(_ name: String, _ value: String) {
        let peer = RawPeer()
        var list = fields([(name, value)])
        // The same pseudo-field twice.
        if name == ":method" && value == "GET" { list.insert((":method", "GET"), at: 0) }
        peer.send(RawFrames.headers(1, list))
        #expect(peer.reset(1) == .protocolError)
        #expect(peer.service.requests.isEmpty)
        #expect(peer.goAway == nil)
        peer.send(RawFrames.headers(3))
        #expect(peer.service.requests.count == 1)
    }

    @Test(arguments: [
        [("host", "other")], [(":authority", "user@test")], [(":scheme", "ftp")],
        [(":path", "/a#b")], [(":path", "/\u{e9}")],
    ])
    func answers400(_ changes: [(String, String)]) {
        let peer = RawPeer()
        peer.send(RawFrames.headers(1, fields(changes)))
        #expect(peer.status(1) == 400)
        #expect(peer.service.requests.isEmpty)
    }

    @Test(arguments: [
        [("host", "TEST")], [(":scheme", "HTTPS")], [("te", "trailers")],
        [(":method", "OPTIONS"), (":path", "*")], [("content-length", "0")],
        [(":method", "PROPFIND")], [("x-empty", "")], [(":path", "/?q=%20")],
    ])
    func accepts(_ changes: [(String, String)]) {
        let peer = RawPeer()
        peer.send(RawFrames.headers(1, fields(changes)))
        #expect(peer.service.requests.count == 1)
    }

    @Test func hostStandsInForAuthority() {
        let peer = RawPeer()
        let list = RawFrames.get.filter { $0.0 != ":authority" }
        peer.send(RawFrames.headers(1, list + [("host", "stand.in:80")]))
        #expect(peer.service.requests[0].head.authority == "stand.in:80")
        #expect(peer.service.requests[0].head.fields.contains("host") == false)
        peer.send(RawFrames.headers(3, list))
        #expect(peer.reset(3) == .protocolError)
    }

    @Test func pseudoFieldsMayComeInAnyOrderButFirst() {
        let peer = RawPeer()
        peer.send(RawFrames.headers(1, RawFrames.get.reversed()))
        #expect(peer.service.requests.count == 1)
        peer.send(RawFrames.headers(3, [("accept", "x")] + RawFrames.get))
        #expect(peer.reset(3) == .protocolError)
    }

    @Test func connectIs501() {
        let peer = RawPeer()
        peer.send(
            RawFrames.headers(1, [(":method", "CONNECT"), (":authority", "a:1")], end: false))
        #expect(peer.status(1) == 501)
    }

    @Test func contentLengthMustMatchTheBody() {
        for (sent, end) in [(4, true), (6, false)] {
            let peer = RawPeer()
            peer.send(
                RawFrames.headers(1, RawFrames.get + [("content-length", "5")], end: false))
            peer.send(RawFrames.data(1, [UInt8](repeating: 1, count: sent), end: end))
            #expect(peer.reset(1) == .protocolError)
            #expect(peer.service.requests[0].closes == [.protocolViolation])
            #expect(!peer.service.requests[0].isEnded)
        }
    }

    @Test func trailersMustEndTheStreamAndHaveNoPseudoFields() {
        let peer = RawPeer()
        peer.send(RawFrames.headers(1, end: false))
        peer.send(RawFrames.headers(1, [("x", "y")], end: false))
        #expect(peer.reset(1) == .protocolError)
        peer.send(RawFrames.headers(3, end: false))
        peer.send(RawFrames.headers(3, [(":path", "/")]))
        #expect(peer.reset(3) == .protocolError)
        #expect(peer.service.requests.map(\.closes) == [[.protocolViolation], [.protocolViolation]])
    }

    @Test func framesInTheWrongPlaceEndTheConnection() {
        let cases: [[UInt8]] = [
            RawFrames.data(1, [1]),  // idle stream
            RawFrames.headers(2),  // a server's number
            RawFrames.headers(0),
            RawFrames.frame(9, stream: 1, [0]),  // CONTINUATION without HEADERS
            RawFrames.windowUpdate(0, 0),
            RawFrames.frame(6, [1]),
            RawFrames.frame(4, [1]),
            RawFrames.frame(5, stream: 1, [0, 0, 0, 2]),  // PUSH_PROMISE from a client
            RawFrames.headers(1, endHeaders: false) + RawFrames.ping,
            RawFrames.frame(0, stream: 1, [UInt8](repeating: 0, count: 16_385)),
        ]
        for bytes in cases {
            let peer = RawPeer()
            peer.send(bytes)
            #expect(peer.server.isFinished, "\(bytes.prefix(12))")
            #expect(peer.goAway != nil && peer.goAway != .noError)
        }
    }

    @Test func aWrongPrefaceIsClosedAtOnce() {
        let peer = RawPeer(starts: false)
        peer.send(Array("GET / HTTP/1.1\r\nhost: a\r\n\r\n".utf8))
        #expect(peer.server.isFinished)
        #expect(peer.server.failure == .protocolViolation)
    }
}
