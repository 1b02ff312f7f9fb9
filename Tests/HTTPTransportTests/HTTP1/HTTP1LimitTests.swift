import NIOCore
import Testing

@testable import HTTPTransport

@Suite struct HTTP1LimitTests {
    private func status(_ answer: String) -> Int? {
        Int(answer.dropFirst("HTTP/1.1 ".count).prefix(3))
    }

    @Test func largeHeadsAreRefused() throws {
        var limits = HTTPLimits()
        limits.headerBytes = 1_000
        limits.headerCount = 5
        let rows = [
            "GET /\(String(repeating: "a", count: 1_000)) HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nX: \(String(repeating: "a", count: 1_000))\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\n\(String(repeating: "a", count: 1_001)): b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\n"
                + (1...5).map { "a\($0): b\r\n" }.joined() + "\r\n",
            // Fits by its bytes, not with 32 for each field.
            "GET / HTTP/1.1\r\nHost: h\r\n"
                + (1...4).map { "a\($0): \(String(repeating: "x", count: 220))\r\n" }.joined()
                + "\r\n",
            // Never ends.
            "GET / HTTP/1.1\r\nHost: h\r\nX: \(String(repeating: "a", count: 5_000))",
        ]
        for row in rows {
            let harness = try HTTP1Harness(limits: limits)
            #expect(status(try harness.send(row)) == 431, "\(row)")
            #expect(harness.service.exchanges.isEmpty)
            #expect(!harness.isOpen)
            harness.finish()
        }
    }

    @Test func largeTrailersAreRefused() throws {
        var limits = HTTPLimits()
        limits.headerBytes = 1_000
        let harness = try HTTP1Harness(limits: limits)
        let answer = try harness.send(
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
                + "X: \(String(repeating: "a", count: 1_000))\r\n\r\n")
        #expect(status(answer) == 431)
        #expect(harness.service.exchanges[0].closed == [.protocolViolation])
        harness.finish()
    }

    @Test func largeBodiesAreRefused() throws {
        var limits = HTTPLimits()
        limits.bodyBytes = 10
        let known = try HTTP1Harness(limits: limits)
        let head = "POST / HTTP/1.1\r\nHost: h\r\n"
        #expect(status(try known.send(head + "Content-Length: 11\r\n\r\n")) == 413)
        #expect(known.service.exchanges.isEmpty)
        known.finish()

        let exact = try HTTP1Harness(limits: limits)
        #expect(status(try exact.send(head + "Content-Length: 10\r\n\r\n0123456789")) == 200)
        exact.finish()

        let chunked = try HTTP1Harness(limits: limits)
        let answer = try chunked.send(
            head + "Transfer-Encoding: chunked\r\n\r\n6\r\n012345\r\n6\r\n012345\r\n0\r\n\r\n")
        #expect(status(answer) == 413)
        #expect(chunked.service.exchanges[0].closed == [.bodyTooLarge])
        #expect(!chunked.isOpen)
        chunked.finish()
    }

    @Test func whoSawThatOutputMustWaitIsToldWhenItMayGoOn() throws {
        var limits = HTTPLimits()
        limits.outputHighWatermarkBytes = 1_000
        limits.outputLowWatermarkBytes = 100
        let service = RecordingService()
        var sawWait = false
        service.onEnd = { exchange in
            exchange.stream.send(HTTPResponseHead(status: 200, fields: ["date": "D"]), end: false)
            exchange.stream.send(ByteBuffer(repeating: 0x61, count: 2_000), end: false)
            sawWait = !exchange.stream.isWritable
        }
        let harness = try HTTP1Harness(service, limits: limits)
        // All of it is written before the loop turn ends.
        try harness.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        let exchange = try #require(service.exchanges.first)
        #expect(sawWait)
        #expect(exchange.stream.isWritable)
        #expect(exchange.writability.last == true)
        harness.finish()
    }

    @Test func theCallerGivesRefusalsTheirBody() throws {
        let harness = try HTTP1Harness(
            refusal: { refusal, _ in
                (
                    ["content-type": "application/json"],
                    ByteBuffer(string: #"{"status":\#(refusal.status)}"#)
                )
            })
        let answer = try harness.send("GET / HTTP/1.1\r\n\r\n")
        #expect(answer.hasPrefix("HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n"))
        #expect(answer.contains("\r\ncontent-length: 14\r\n"))
        #expect(answer.hasSuffix("\r\n\r\n{\"status\":400}"))
        harness.finish()
    }

    @Test func aFullServerSaysSo() throws {
        let harness = try HTTP1Harness()
        harness.connection.refuseConnection()
        let answer = try harness.received()
        #expect(status(answer) == 503)
        #expect(answer.contains("retry-after: 1\r\n"))
        #expect(!harness.isOpen)
        harness.finish()
    }

    @Test func aSilentClientIsClosedWithoutAWord() throws {
        let harness = try HTTP1Harness()
        #expect(try harness.advance(.seconds(14)) == "")
        #expect(harness.isOpen)
        #expect(try harness.advance(.seconds(1)) == "")
        #expect(!harness.isOpen)
        harness.finish()
    }

    @Test func aHeadInDripsRunsOutOfTime() throws {
        let harness = try HTTP1Harness()
        _ = try harness.advance(.seconds(5))
        var answer = ""
        for character in "GET / HTTP" {
            answer += try harness.send(String(character))
            answer += try harness.advance(.seconds(1))
        }
        // From the connection's start, not from the first byte.
        #expect(status(answer) == 408)
        #expect(!harness.isOpen)
        harness.finish()
    }

    @Test func aLaterHeadHasItsOwnTime() throws {
        let harness = try HTTP1Harness()
        _ = try harness.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(try harness.advance(.minutes(9)) == "")
        #expect(harness.isOpen)
        _ = try harness.send("GET /")
        #expect(try harness.advance(.seconds(14)) == "")
        _ = try harness.send("x")
        #expect(status(try harness.advance(.seconds(1))) == 408)
        harness.finish()
    }

    @Test func idleConnectionsAreClosedWithoutAWord() throws {
        let harness = try HTTP1Harness()
        _ = try harness.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(try harness.advance(.minutes(10)) == "")
        #expect(!harness.isOpen)
        harness.finish()
    }

    @Test func aStalledBodyRunsOutOfTime() throws {
        let harness = try HTTP1Harness()
        _ = try harness.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\na")
        #expect(try harness.advance(.seconds(59)) == "")
        _ = try harness.send("b")
        #expect(try harness.advance(.seconds(59)) == "")
        #expect(status(try harness.advance(.seconds(1))) == 408)
        #expect(harness.service.exchanges[0].closed == [.timeout])
        #expect(!harness.isOpen)
        harness.finish()
    }

    @Test func timeStandsStillWhileWeDoNotRead() throws {
        var limits = HTTPLimits()
        limits.streamWindowBytes = 1
        let service = RecordingService()
        service.consumes = false
        let harness = try HTTP1Harness(service, limits: limits)
        _ = try harness.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\na")
        harness.channel.read()
        #expect(try harness.advance(.minutes(5)) == "")
        #expect(harness.isOpen)
        service.exchanges[0].stream.consume(1)
        #expect(try harness.advance(.seconds(59)) == "")
        #expect(status(try harness.advance(.seconds(1))) == 408)
        harness.finish()
    }

    @Test func aRequestMayTakeItsTime() throws {
        let service = RecordingService()
        let harness = try HTTP1Harness(service)
        _ = try harness.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(try harness.advance(.hours(5)) == "")
        #expect(harness.isOpen)
        service.exchanges[0].answer("x")
        #expect(status(try harness.received()) == 200)
        harness.finish()
    }

    @Test func aSocketThatTakesNothingIsClosed() throws {
        let service = RecordingService()
        let harness = try HTTP1Harness(service)
        _ = try harness.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        harness.holdWrites()
        service.exchanges[0].answer("x")
        #expect(try harness.advance(.minutes(4)) == "")
        #expect(harness.isOpen)
        #expect(try harness.advance(.minutes(1)) == "")
        #expect(!harness.isOpen)
        #expect(service.exchanges[0].closed == [.timeout])
        harness.finish()
    }
}
