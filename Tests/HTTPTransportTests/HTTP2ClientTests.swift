import NIOCore
import Testing

@testable import HTTPTransport

@Suite struct HTTP2ClientTests {
    private func limited(_ streams: Int, waiting: Int) -> JoinedSessions {
        var limits = HTTPLimits()
        limits.concurrentStreams = streams
        limits.advertisedConcurrentStreams = streams
        let pair = JoinedSessions(limits: limits, waitingStreams: waiting)
        pair.pump()
        return pair
    }

    @Test func streamsWaitForThePeersLimit() throws {
        let pair = limited(2, waiting: 2)
        let responses = try (0..<4).map { try pair.open("POST", "/\($0)", end: false) }
        responses[2].stream.send(ByteBuffer(string: "early"), end: true)
        pair.pump()
        #expect(pair.service.requests.map(\.head.path) == ["/0", "/1"])
        #expect(throws: HTTPStreamError.tooManyStreams) { try pair.open() }
        pair.service.requests[0].answer(200)
        responses[0].stream.send(ByteBuffer(), end: true)
        pair.pump()
        #expect(pair.service.requests.map(\.head.path) == ["/0", "/1", "/2"])
        #expect(pair.service.requests[2].body == Array("early".utf8))
        #expect(pair.client.streamCount == 3)
    }

    @Test func aWaitingStreamCanBeCancelled() throws {
        let pair = limited(1, waiting: 2)
        try pair.open()
        let waiting = try pair.open()
        waiting.stream.reset()
        #expect(waiting.closes.isEmpty)
        pair.pump()
        #expect(waiting.closes == [.resetLocally(code: 8)])
        pair.service.requests[0].answer()
        pair.pump()
        #expect(pair.service.requests.count == 1)
    }

    @Test func goAwayFailsWhatTheServerWillNotServe() throws {
        let pair = limited(2, waiting: 2)
        let responses = try (0..<3).map { _ in try pair.open() }
        pair.pump()
        pair.server.beginDrain(now: pair.now)
        // One more request is in flight when the notice comes.
        pair.pump()
        #expect(!pair.client.canOpen)
        #expect(responses[2].closes == [.goneAway])
        #expect(throws: HTTPStreamError.goneAway) { try pair.open() }
        #expect(!pair.client.isFinished && !pair.server.isFinished)
        for request in pair.service.requests { request.answer(200, "last") }
        pair.pump()
        #expect(responses[0].text == "last" && responses[1].closes == [nil])
        #expect(pair.client.isFinished && pair.server.isFinished)
    }

    /// A receiver ends the connection while bytes for other streams are still being read.
    @Test func theEndFromInsideACallbackIsHeardOnceByAll() throws {
        let pair = JoinedSessions()
        pair.pump()
        let responses = try (0..<3).map { _ in try pair.open() }
        pair.pump()
        responses[0].onClosed = { pair.client.finish(.connectionClosed) }
        for request in pair.service.requests { request.answer(200, "x") }
        pair.pump()
        #expect(responses[0].closes == [nil])
        #expect(responses[1].closes == [.connectionClosed])
        #expect(responses[2].closes == [.connectionClosed])
    }

    @Test func aRequestThatCrossesTheShutdownNoticeIsServed() throws {
        let pair = JoinedSessions()
        pair.service.onEnd = { $0.answer(200, "served") }
        pair.pump()
        pair.server.beginDrain(now: pair.now)
        let response = try pair.open()
        pair.pump()
        #expect(response.text == "served")
        #expect(pair.server.isFinished)
    }

    @Test func drainDoesNotWaitForeverForThePing() {
        let peer = RawPeer()
        peer.send(RawFrames.headers(1))
        peer.server.beginDrain(now: peer.now)
        peer.flush()
        #expect(peer.frames.filter { $0.type == 7 }.count == 1)
        peer.advance(.seconds(2))
        let goAways = peer.frames.filter { $0.type == 7 }
        #expect(goAways.count == 2)
        #expect(goAways[0].payload.prefix(4) == [0x7f, 0xff, 0xff, 0xff])
        #expect(goAways[1].payload.prefix(4) == [0, 0, 0, 1])
        // Later requests are not taken; the open one ends in peace.
        peer.send(RawFrames.headers(3))
        #expect(peer.service.requests.count == 1)
        peer.service.requests[0].answer(200, "bye")
        peer.flush()
        #expect(peer.server.isFinished)
        #expect(peer.service.requests[0].closes == [nil])
    }

    @Test func refusedStreamsAreSafeToRetry() throws {
        var limits = HTTPLimits()
        limits.concurrentStreams = 1
        let pair = JoinedSessions(limits: limits)
        pair.pump()
        try pair.open()
        let refused = try pair.open()
        pair.pump()
        #expect(refused.closes == [.goneAway])
    }

    @Test func pingsMeasureTheRoundTrip() {
        let pair = JoinedSessions()
        pair.pump()
        var results: [Result<TimeAmount, HTTPStreamError>] = []
        pair.client.now = pair.now
        pair.client.ping { results.append($0) }
        pair.now = pair.now + .milliseconds(5)
        pair.pump()
        #expect(results == [.success(.milliseconds(5))])
        pair.client.ping { results.append($0) }
        pair.client.finish(nil)
        #expect(results.last == .failure(.connectionClosed))
        pair.client.ping { results.append($0) }
        #expect(results.count == 3)
    }

    @Test func aReceiverMayOpenTheNextStreamFromItsLastCall() throws {
        let pair = JoinedSessions()
        pair.service.onEnd = { $0.answer(200, "x") }
        let first = try pair.open()
        var second: TestResponse?
        first.onClosed = { second = try? pair.open() }
        pair.pump()
        #expect(second?.text == "x")
        #expect(second?.closes == [nil])
    }

    @Test func informationalHeadsAreNotTheResponse() throws {
        let pair = JoinedSessions()
        pair.service.onEnd = { request in
            request.stream.send(HTTPResponseHead(status: 103, fields: ["link": "x"]), end: false)
            request.answer(299, "final")
        }
        let response = try pair.open()
        pair.pump()
        #expect(response.head?.status == 299)
        #expect(response.text == "final")
    }

    @Test func clientTrailersAndEmptyBodiesArrive() throws {
        let pair = JoinedSessions()
        pair.service.onEnd = { $0.answer(200) }
        let trailersOnly = try pair.open("POST", end: false)
        trailersOnly.stream.send(trailers: ["a": "b"])
        let empty = try pair.open("POST", end: false)
        empty.stream.send(ByteBuffer(), end: true)
        pair.pump()
        #expect(pair.service.requests[0].trailers == ["a": "b"])
        #expect(pair.service.requests[1].isEnded)
        #expect(trailersOnly.closes == [nil] && empty.closes == [nil])
    }
}
