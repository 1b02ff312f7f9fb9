import NIOCore
import Testing

@testable import HTTPTransport

@Suite struct HTTP2ExchangeTests {
    @Test func carriesHeadsBodiesAndTrailersBothWays() throws {
        let pair = JoinedSessions()
        pair.service.makeEcho()
        let response = try pair.open(
            "POST", "/echo?x=1", fields: ["content-type": "text/plain", "te": "trailers"],
            end: false)
        response.stream.send(ByteBuffer(string: "hello "), end: false)
        pair.pump()
        response.stream.send(ByteBuffer(string: "world"), end: false)
        response.stream.send(trailers: ["checksum": "42"])
        pair.pump()
        let request = try #require(pair.service.requests.first)
        #expect(request.head.method == "POST")
        #expect(request.head.path == "/echo?x=1")
        #expect(request.head.scheme == "http")
        #expect(request.head.authority == "test")
        #expect(request.head.fields["te"] == "trailers")
        #expect(request.trailers == ["checksum": "42"])
        #expect(request.closes == [nil])
        #expect(response.head?.status == 200)
        #expect(response.head?.fields["date"]?.hasSuffix(" GMT") == true)
        #expect(response.text == "hello world")
        #expect(response.trailers == ["checksum": "42"])
        #expect(response.closes == [nil])
        #expect(pair.server.openStreams == 0)
        #expect(pair.client.openStreams == 0)
    }

    @Test func answersWithoutBodyAndTrailersOnly() throws {
        let pair = JoinedSessions()
        pair.service.onEnd = { $0.stream.send(HTTPResponseHead(status: 503), end: true) }
        let response = try pair.open()
        pair.pump()
        #expect(response.head?.status == 503)
        #expect(response.isEnded && response.trailers == nil)
        #expect(response.closes == [nil])
    }

    @Test func sendsTrailersAfterHeadWithoutBody() throws {
        let pair = JoinedSessions()
        pair.service.onEnd = { request in
            request.stream.send(HTTPResponseHead(status: 200), end: false)
            request.stream.send(trailers: ["grpc-status": "0"])
        }
        let response = try pair.open()
        pair.pump()
        #expect(response.trailers == ["grpc-status": "0"])
        #expect(response.closes == [nil])
    }

    @Test(arguments: [("HEAD", 200), ("GET", 204), ("GET", 304)])
    func dropsBodiesThatMustNotBe(_ method: String, _ status: Int) throws {
        let pair = JoinedSessions()
        pair.service.onEnd = { $0.answer(status, "not for you") }
        let response = try pair.open(method)
        pair.pump()
        #expect(response.head?.status == status)
        #expect(response.body.isEmpty)
        #expect(response.closes == [nil])
        #expect(pair.service.requests[0].closes == [nil])
    }

    @Test func tellsClientToContinueUnlessAnswered() throws {
        let pair = JoinedSessions()
        _ = try pair.open("POST", fields: ["expect": "100-continue"], end: false)
        pair.pump()
        let heads = RawFrames.parse(pair.fromServer).filter { $0.type == 1 }
        #expect(heads.map { StatusDecoder.status(of: $0.payload) } == [100])

        let refusing = JoinedSessions()
        refusing.service.onAccept = { $0.answer(403) }
        let response = try refusing.open(
            "POST", fields: ["expect": "100-continue"], end: false)
        refusing.pump()
        #expect(response.head?.status == 403)
        #expect(RawFrames.parse(refusing.fromServer).filter { $0.type == 1 }.count == 1)
    }

    @Test func anAnswerBeforeTheRequestsEndStopsTheUpload() throws {
        let pair = JoinedSessions()
        pair.service.onAccept = { $0.answer(401, "no") }
        let response = try pair.open("POST", end: false)
        response.stream.send(ByteBuffer(repeating: 1, count: 500_000), end: false)
        pair.pump()
        #expect(response.text == "no")
        // A short rest may come; a long one is cut off, and by no more than the window.
        #expect(response.closes == [])
        pair.advance(.seconds(2))
        pair.pump()
        #expect(response.closes == [nil])
        #expect(pair.service.requests[0].closes == [nil])
        #expect(pair.client.openStreams == 0)
    }

    @Test func carriesLargeBodiesThroughSmallWindows() throws {
        var limits = HTTPLimits()
        limits.streamWindowBytes = 65_535
        limits.outputHardLimitBytes = 64 << 20
        limits.connectionWindowBytes = 1 << 20
        let pair = JoinedSessions(limits: limits, clientLimits: limits)
        pair.service.makeEcho()
        let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        let response = try pair.open("POST", end: false)
        response.stream.send(ByteBuffer(bytes: bytes), end: true)
        pair.pump()
        #expect(response.body == bytes)
        #expect(response.closes == [nil])
    }

    @Test func slowReaderStopsTheProducerAndKeepsMemoryBounded() throws {
        var clientLimits = HTTPLimits.trusted
        clientLimits.streamWindowBytes = 100_000
        let pair = JoinedSessions(clientLimits: clientLimits)
        var sent = 0
        func fill(_ request: TestRequest) {
            while request.stream.isWritable {
                request.stream.send(ByteBuffer(repeating: 7, count: 1_000), end: false)
                sent += 1_000
            }
        }
        pair.service.onEnd = { request in
            request.stream.send(HTTPResponseHead(status: 200), end: false)
            request.onWritable = { if $0 { fill(request) } }
            fill(request)
        }
        let stalled = try pair.open()
        stalled.consumes = false
        pair.pump()
        let request = pair.service.requests[0]
        #expect(stalled.body.count == 100_000)
        #expect(!request.stream.isWritable)
        #expect(request.stream.unsentBytes <= 65_536 + 1_000)
        let before = sent
        // Another stream of the same connection is not held up.
        pair.service.onEnd = { $0.answer(200, "quick") }
        let other = try pair.open()
        pair.pump()
        #expect(other.text == "quick")
        #expect(sent == before)
        // Reading goes on: so does the producer.
        stalled.stream.consume(100_000)
        pair.pump()
        #expect(sent > before)
        #expect(request.writability.last == false)
        #expect(request.writability.contains(true))
    }

    @Test func aProducerThatIgnoresWritabilityIsCutOff() throws {
        var limits = HTTPLimits()
        limits.outputHardLimitBytes = 100_000
        let pair = JoinedSessions(limits: limits)
        pair.service.onEnd = { request in
            request.stream.send(HTTPResponseHead(status: 200), end: false)
            for _ in 0..<10 {
                request.stream.send(ByteBuffer(repeating: 1, count: 50_000), end: false)
            }
        }
        let response = try pair.open()
        pair.pump()
        #expect(pair.service.requests[0].closes == [.outputLimitExceeded])
        #expect(response.closes == [.reset(code: HTTP2ErrorCode.internalError.rawValue)])
    }

    @Test func streamsProgressTogether() throws {
        let pair = JoinedSessions()
        pair.service.onEnd = { request in
            request.stream.send(HTTPResponseHead(status: 200), end: false)
            request.stream.send(ByteBuffer(repeating: 1, count: 200_000), end: true)
        }
        for _ in 0..<4 { try pair.open() }
        pair.pump()
        let order = RawFrames.parse(pair.fromServer).filter { $0.type == 0 }.map(\.stream)
        // After 8 DATA frames every stream has had some.
        #expect(Set(order.prefix(8)).count == 4)
    }

    @Test func resetsTravelBothWays() throws {
        let pair = JoinedSessions()
        let first = try pair.open("POST", end: false)
        let second = try pair.open("POST", end: false)
        pair.pump()
        first.stream.reset(.cancel)
        pair.service.requests[1].stream.reset(.internalError)
        pair.pump()
        #expect(pair.service.requests[0].closes == [.reset(code: 8)])
        #expect(first.closes == [.resetLocally(code: 8)])
        #expect(pair.service.requests[1].closes == [.resetLocally(code: 2)])
        #expect(second.closes == [.reset(code: 2)])
        // Dead handles do nothing.
        first.stream.send(ByteBuffer(string: "x"), end: true)
        first.stream.consume(10)
        pair.service.requests[0].answer(200, "late")
        pair.pump()
        #expect(pair.server.failure == nil && pair.client.failure == nil)
    }

    @Test func everyStreamIsClosedOnceWhenTheConnectionIsLost() throws {
        let pair = JoinedSessions(waitingStreams: 10)
        let responses = try (0..<5).map { _ in try pair.open("POST", end: false) }
        pair.pump()
        pair.service.requests[0].answer(200, "done")
        responses[0].stream.send(ByteBuffer(), end: true)
        responses[1].stream.reset(.cancel)
        pair.pump()
        pair.server.finish(nil)
        pair.client.finish(nil)
        pair.server.finish(nil)
        #expect(pair.service.requests.map(\.closes.count) == [1, 1, 1, 1, 1])
        #expect(pair.service.requests[4].closes == [.connectionClosed])
        #expect(responses.map(\.closes.count) == [1, 1, 1, 1, 1])
    }

    @Test func windowsCanBeTiedToConsumption() throws {
        var limits = HTTPLimits()
        limits.replenishesConnectionWindowAtReception = false
        limits.connectionWindowBytes = 100_000
        limits.streamWindowBytes = 80_000
        let pair = JoinedSessions(limits: limits)
        pair.service.onBody = { _, _ in }
        let uploads = try (0..<3).map { _ in try pair.open("POST", end: false) }
        for upload in uploads {
            upload.stream.send(ByteBuffer(repeating: 0, count: 70_000), end: true)
        }
        pair.pump()
        func received() -> Int { pair.service.requests.reduce(0) { $0 + $1.body.count } }
        #expect(received() == 100_000)
        for request in pair.service.requests { request.stream.consume(request.body.count) }
        pair.pump()
        #expect(received() > 150_000)
        // Bytes of streams that end unconsumed are given back too.
        for upload in uploads where upload.closes.isEmpty { upload.stream.reset(.cancel) }
        pair.pump()
        let last = try pair.open("POST", end: false)
        last.stream.send(ByteBuffer(repeating: 0, count: 79_000), end: true)
        pair.pump()
        #expect(pair.service.requests[3].body.count == 79_000)
    }

    @Test func outgoingFieldsCannotSmuggle() throws {
        let pair = JoinedSessions()
        pair.service.onEnd = {
            $0.answer(
                200, "ok",
                fields: ["x-echo": "a\r\nb\u{0}c", "connection": "close", "upgrade": "h3"])
        }
        let response = try pair.open()
        pair.pump()
        #expect(response.head?.fields["x-echo"] == "a  b c")
        #expect(response.head?.fields.contains("connection") == false)
        #expect(response.closes == [nil])
    }

    @Test func aHeadTooLargeToSendEndsItsStream() throws {
        let pair = JoinedSessions()
        let huge = String(repeating: "h", count: 100_000)
        pair.service.onEnd = { $0.answer(200, "x", fields: ["x-huge": huge]) }
        let response = try pair.open()
        pair.pump()
        #expect(pair.service.requests[0].closes == [.headersTooLarge])
        #expect(response.closes == [.reset(code: HTTP2ErrorCode.internalError.rawValue)])
    }
}
