import NIOCore
import Testing

@testable import HTTPTransport

@Suite struct HTTP2LimitTests {
    // MARK: Heads

    @Test func tooManyHeaderBytesAre431() {
        var limits = HTTPLimits()
        limits.headerBytes = 1_000
        let peer = RawPeer(limits: limits)
        let big = String(repeating: "x", count: 900)
        peer.send(RawFrames.headers(1, RawFrames.get + [("x-big", big)]))
        #expect(peer.status(1) == 431)
        #expect(peer.service.requests.isEmpty)
        peer.send(RawFrames.headers(3))
        #expect(peer.service.requests.count == 1)
    }

    @Test func tooManyHeadersAre431() {
        var limits = HTTPLimits()
        limits.headerCount = 20
        let peer = RawPeer(limits: limits)
        peer.send(RawFrames.headers(1, RawFrames.get + (0..<16).map { ("x-\($0)", "1") }))
        peer.send(RawFrames.headers(3, RawFrames.get + (0..<17).map { ("x-\($0)", "1") }))
        #expect(peer.service.requests.count == 1)
        #expect(peer.status(3) == 431)
    }

    @Test func oversizedTrailersEndTheStream() {
        var limits = HTTPLimits()
        limits.headerBytes = 1_000
        let peer = RawPeer(limits: limits)
        peer.send(RawFrames.headers(1, end: false))
        let big = String(repeating: "x", count: 2_000)
        peer.send(RawFrames.headers(1, [("x-big", big)]))
        #expect(peer.status(1) == 431)
        #expect(peer.service.requests[0].closes == [.headersTooLarge])
    }

    @Test func anHPACKBombEndsTheConnection() {
        let peer = RawPeer()
        // One 4,000-byte entry in the dynamic table, then references to it of one byte each.
        var block = RawFrames.block(RawFrames.get)
        block += [0x40] + RawFrames.string("x") + RawFrames.string(
            String(repeating: "b", count: 3_900))
        let references = [UInt8](repeating: 0xbe, count: 16_000)
        peer.send(
            RawFrames.frame(1, flags: 1, stream: 1, block)
                + RawFrames.frame(9, stream: 1, references)
                + RawFrames.frame(9, flags: 4, stream: 1, references))
        #expect(peer.goAway == .enhanceYourCalm)
        #expect(peer.service.requests.isEmpty)
        #expect(peer.server.isFinished)
    }

    @Test func aLongContinuationEndsTheConnection() {
        let peer = RawPeer()
        peer.send(
            RawFrames.frame(1, flags: 1, stream: 1, RawFrames.block(RawFrames.get))
                + RawFrames.frame(
                    9, flags: 4, stream: 1,
                    RawFrames.block([("x", String(repeating: "c", count: 17_000))])))
        #expect(peer.goAway == .frameSizeError)
    }

    @Test func endlessContinuationsEndTheConnection() {
        let peer = RawPeer()
        peer.send(RawFrames.frame(1, stream: 1, RawFrames.block(RawFrames.get)))
        for _ in 0..<40 { peer.send(RawFrames.frame(9, stream: 1, RawFrames.block([("a", "b")]))) }
        #expect(peer.server.isFinished)
    }

    @Test func aStreamNumberMustGrow() {
        let peer = RawPeer()
        peer.send(RawFrames.headers(5))
        peer.send(RawFrames.headers(3))
        #expect(peer.goAway == .protocolError)
        #expect(peer.service.requests.count == 1)
    }

    @Test func trailersThatCrossOurResetAreIgnored() {
        let peer = RawPeer()
        peer.send(RawFrames.headers(1, end: false))
        peer.send(RawFrames.headers(3, end: false))
        peer.service.requests[0].stream.reset(.cancel)
        peer.flush()
        peer.send(RawFrames.headers(1, [("late", "1")]))
        #expect(peer.goAway == nil)
        peer.send(RawFrames.headers(5))
        #expect(peer.service.requests.count == 3)
    }

    // MARK: Bodies and streams

    @Test func aLongBodyIs413() {
        var limits = HTTPLimits()
        limits.bodyBytes = 10_000
        let peer = RawPeer(limits: limits)
        peer.send(RawFrames.headers(1, end: false))
        peer.send(RawFrames.data(1, [UInt8](repeating: 0, count: 9_000)))
        peer.send(RawFrames.data(1, [UInt8](repeating: 0, count: 2_000)))
        #expect(peer.status(1) == 413)
        #expect(peer.reset(1) == .noError)
        #expect(peer.service.requests[0].body.count == 9_000)
        #expect(peer.service.requests[0].closes == [.bodyTooLarge])
        #expect(peer.goAway == nil)
        // Announced, it is not even begun.
        let other = RawPeer(limits: limits)
        let fields = RawFrames.get + [("content-length", "10001")]
        other.send(RawFrames.headers(1, fields, end: false))
        #expect(other.status(1) == 413)
        #expect(other.service.requests.isEmpty)
    }

    @Test func aLongBodyAfterTheAnswerBeganResetsTheStream() {
        var limits = HTTPLimits()
        limits.bodyBytes = 1_000
        let peer = RawPeer(limits: limits)
        peer.service.makeEcho()
        peer.send(RawFrames.headers(1, end: false))
        peer.send(RawFrames.data(1, [UInt8](repeating: 0, count: 2_000)))
        #expect(peer.reset(1) == .cancel)
        #expect(peer.service.requests[0].closes == [.bodyTooLarge])
    }

    @Test func streamsOverTheLimitAreRefusedOneByOne() {
        var limits = HTTPLimits()
        limits.concurrentStreams = 3
        let peer = RawPeer(limits: limits)
        peer.send(RawFrames.settingsAck)
        for id: Int32 in [1, 3, 5, 7, 9] { peer.send(RawFrames.headers(id)) }
        #expect(peer.service.requests.count == 3)
        #expect(peer.reset(7) == .refusedStream && peer.reset(9) == .refusedStream)
        #expect(peer.goAway == nil)
        peer.service.requests[0].answer(200)
        peer.flush()
        peer.send(RawFrames.headers(11))
        #expect(peer.service.requests.count == 4)
    }

    // MARK: Floods

    private func flood(
        _ frame: [UInt8], count: Int, open: Bool = false
    ) -> HTTP2ErrorCode? {
        let peer = RawPeer()
        if open { peer.send(RawFrames.headers(1, end: false)) }
        for _ in 0..<count { peer.send(frame) }
        return peer.goAway
    }

    @Test func pingFloodEndsTheConnection() {
        #expect(flood(RawFrames.ping, count: 100) == nil)
        #expect(flood(RawFrames.ping, count: 101) == .enhanceYourCalm)
    }

    @Test func settingsFloodEndsTheConnection() {
        // One SETTINGS frame belongs to the preface.
        #expect(flood(RawFrames.settings, count: 31) == nil)
        #expect(flood(RawFrames.settings, count: 32) == .enhanceYourCalm)
    }

    @Test func emptyDataFloodEndsTheConnection() {
        #expect(flood(RawFrames.data(1), count: 100, open: true) == nil)
        #expect(flood(RawFrames.data(1), count: 101, open: true) == .enhanceYourCalm)
        // Nothing but padding is as empty.
        let padded = RawFrames.frame(0, flags: 8, stream: 1, [3, 0, 0, 0])
        #expect(flood(padded, count: 100, open: true) == nil)
        #expect(flood(padded, count: 101, open: true) == .enhanceYourCalm)
    }

    @Test func priorityAndUnknownFrameFloodsEndTheConnection() {
        let priority = RawFrames.frame(2, stream: 1, RawFrames.word(0) + [16])
        #expect(flood(priority, count: 200) == nil)
        #expect(flood(priority, count: 201) == .enhanceYourCalm)
        #expect(flood(RawFrames.frame(0xfe), count: 201) == .enhanceYourCalm)
    }

    @Test func windowUpdateFloodEndsTheConnection() {
        #expect(flood(RawFrames.windowUpdate(0, 1), count: 500) == nil)
        #expect(flood(RawFrames.windowUpdate(0, 1), count: 501) == .enhanceYourCalm)
    }

    @Test func windowUpdatesForDataAreNoFlood() throws {
        var limits = HTTPLimits()
        limits.windowUpdatesPerWindow = 2
        limits.outputHardLimitBytes = 64 << 20
        let pair = JoinedSessions(limits: limits)
        pair.service.onEnd = { request in
            request.stream.send(HTTPResponseHead(status: 200), end: false)
            request.stream.send(ByteBuffer(repeating: 1, count: 8_000_000), end: true)
        }
        let response = try pair.open()
        pair.pump()
        #expect(response.body.count == 8_000_000)
        #expect(pair.server.failure == nil)
    }

    @Test func keepalivePingsAreAlwaysFine() {
        let peer = RawPeer()
        for _ in 0..<500 {
            peer.send(RawFrames.ping)
            peer.advance(.seconds(1))
        }
        #expect(peer.goAway == nil)
        #expect(peer.frames.filter { $0.type == 6 && $0.flags == 1 }.count == 500)
    }

    @Test func rapidResetEndsTheConnection() {
        var limits = HTTPLimits()
        limits.resetsPerWindow = 50
        let peer = RawPeer(limits: limits)
        for index: Int32 in 0..<50 {
            peer.send(RawFrames.headers(2 * index + 1) + RawFrames.reset(2 * index + 1))
        }
        #expect(peer.goAway == nil)
        peer.send(RawFrames.headers(201) + RawFrames.reset(201))
        #expect(peer.goAway == .enhanceYourCalm)
        #expect(peer.service.requests.allSatisfy { $0.closes.count <= 1 })
    }

    @Test func cancellingSomeOfManyStreamsIsNoFlood() {
        var limits = HTTPLimits()
        limits.resetsPerWindow = 5
        let peer = RawPeer(limits: limits)
        peer.service.onEnd = { $0.answer(204) }
        for index: Int32 in 0..<200 {
            peer.send(RawFrames.headers(4 * index + 1))
            peer.send(RawFrames.headers(4 * index + 3, end: false))
            peer.send(RawFrames.reset(4 * index + 3))
        }
        #expect(peer.goAway == nil)
    }

    @Test func resetsThatThePeerProvokesEndTheConnection() {
        var limits = HTTPLimits()
        limits.provokedResetsPerWindow = 10
        let peer = RawPeer(limits: limits)
        for index: Int32 in 0..<12 {
            let id = 2 * index + 1
            peer.send(RawFrames.headers(id, end: false))
            // A window over 2^31-1 makes the server reset the stream (RFC 9113 §6.9.1).
            peer.send(RawFrames.windowUpdate(id, 0x7fff_ffff))
        }
        #expect(peer.goAway == .enhanceYourCalm)
        #expect(peer.service.requests[0].closes == [.protocolViolation])
    }

    @Test func malformedHeadsCountAsProvokedResets() {
        var limits = HTTPLimits()
        limits.provokedResetsPerWindow = 10
        let peer = RawPeer(limits: limits)
        for index: Int32 in 0..<12 {
            peer.send(RawFrames.headers(2 * index + 1, [("Upper", "case")]))
        }
        #expect(peer.goAway == .enhanceYourCalm)
    }

    // MARK: Time

    @Test func aPeerThatNeverFinishesItsPrefaceIsClosed() {
        for bytes in [[], Array(RawFrames.preface.prefix(10)), RawFrames.preface] {
            let peer = RawPeer(starts: false)
            if !bytes.isEmpty { peer.send(bytes) }
            peer.advance(.seconds(14))
            #expect(!peer.server.isFinished)
            peer.advance(.seconds(2))
            #expect(peer.server.failure == .timeout)
            #expect(peer.server.isFinished)
        }
    }

    @Test func aHeadThatNeverEndsIsClosed() {
        for part in [
            Array(RawFrames.headers(1).prefix(5)), Array(RawFrames.headers(1).prefix(20)),
            RawFrames.headers(1, endHeaders: false),
        ] {
            let peer = RawPeer()
            peer.advance(.seconds(100))
            peer.send(part)
            peer.advance(.seconds(14))
            #expect(peer.server.failure == nil)
            peer.advance(.seconds(2))
            #expect(peer.server.failure == .timeout)
        }
    }

    @Test func anIdleConnectionIsClosedGracefully() {
        let peer = RawPeer()
        peer.send(RawFrames.headers(1))
        peer.service.requests[0].answer(204)
        peer.flush()
        peer.send(RawFrames.ping)
        peer.advance(.minutes(9))
        #expect(peer.goAway == nil)
        peer.advance(.minutes(2))
        #expect(peer.goAway == .noError)
        peer.advance(.seconds(2))
        #expect(peer.server.isFinished)
    }

    @Test func aStreamKeepsItsConnectionFromBeingIdle() {
        let peer = RawPeer()
        peer.send(RawFrames.headers(1))
        peer.advance(.hours(1))
        #expect(peer.goAway == nil)
    }

    @Test func aStalledBodyIs408() {
        let peer = RawPeer()
        peer.send(RawFrames.headers(1, end: false))
        peer.advance(.seconds(50))
        peer.send(RawFrames.data(1, [1]))
        peer.advance(.seconds(50))
        #expect(peer.status(1) == nil)
        peer.advance(.seconds(11))
        #expect(peer.status(1) == 408)
        #expect(peer.service.requests[0].closes == [.timeout])
        // A body whose answer has begun may take its time.
        peer.send(RawFrames.headers(3, end: false))
        peer.service.requests[1].stream.send(HTTPResponseHead(status: 200), end: false)
        peer.advance(.hours(1))
        #expect(peer.service.requests[1].closes.isEmpty)
    }
}
