import NIOCore
import Testing

@testable import HTTPTransport

@Suite struct HTTP2SplitTests {
    /// What a server made of the bytes.
    private func transcript(of chunks: [ArraySlice<UInt8>]) -> [String] {
        let peer = RawPeer(starts: false)
        peer.service.makeEcho()
        for chunk in chunks { peer.send(Array(chunk)) }
        return peer.service.requests.map {
            "\($0.head) \($0.body) \($0.isEnded) \(String(describing: $0.trailers)) \($0.closes)"
        } + ["\(peer.frames.count)"]
    }

    private func recordedClient() throws -> [UInt8] {
        let pair = JoinedSessions()
        pair.service.makeEcho()
        let first = try pair.open("POST", "/a", fields: ["x": "1"], end: false)
        let second = try pair.open("GET", "/b")
        first.stream.send(ByteBuffer(string: "body"), end: false)
        first.stream.send(trailers: ["t": "2"])
        pair.pump()
        let third = try pair.open("POST", "/c", end: false)
        pair.pump()
        third.stream.reset(.cancel)
        pair.pump()
        #expect(first.text == "body" && second.isEnded)
        return pair.fromClient
    }

    @Test func inputMayBeSplitAnywhere() throws {
        let bytes = try recordedClient()
        let whole = transcript(of: [bytes[...]])
        #expect(whole.count == 4)
        for position in 1..<bytes.count {
            let parts = [bytes[..<position], bytes[position...]]
            let split = transcript(of: parts)
            #expect(split.dropLast() == whole.dropLast(), "split at \(position)")
        }
        let single = transcript(of: bytes.indices.map { bytes[$0...$0] })
        #expect(single.dropLast() == whole.dropLast())
    }

    @Test func aClientsInputMayBeSplitAnywhere() throws {
        let pair = JoinedSessions()
        pair.service.onEnd = { request in
            request.stream.send(HTTPResponseHead(status: 200, fields: ["a": "b"]), end: false)
            request.stream.send(ByteBuffer(string: "some text"), end: false)
            request.stream.send(trailers: ["grpc-status": "0"])
        }
        try pair.open()
        pair.pump()
        let bytes = pair.fromServer
        for position in 1..<bytes.count {
            let client = HTTP2Session(
                role: .client(waitingStreams: 1), connection: .test, limits: .trusted,
                now: pair.now)
            let response = TestResponse()
            let head = HTTPRequestHead(method: "GET", authority: "test", path: "/")
            let stream = try client.open(head, end: true, receiver: response)
            response.stream = HTTPClientStream(stream)
            _ = client.produce(limit: 65_536, now: pair.now)
            client.receive(ByteBuffer(bytes: bytes[..<position]), now: pair.now)
            client.receive(ByteBuffer(bytes: bytes[position...]), now: pair.now)
            #expect(response.text == "some text", "split at \(position)")
            #expect(response.trailers == ["grpc-status": "0"])
            #expect(response.closes == [nil])
            client.finish(nil)
        }
    }

    @Test func theMeterSeesTheSameHoweverInputIsSplit() throws {
        let bytes = try recordedClient() + RawFrames.headers(101, endHeaders: false)
        let limits = HTTPLimits()
        func meter() -> HTTP2FrameMeter {
            HTTP2FrameMeter(
                counters: HTTP2FloodCounters(limits: limits, now: .uptimeNanoseconds(0)),
                readsPreface: true, maxBlockBytes: limits.headerBytesBeforeDisconnect)
        }
        for position in 0...bytes.count {
            var meter = meter()
            let first = Array(bytes[..<position])
            let second = Array(bytes[position...])
            #expect(meter.scan(first.span) == nil)
            if position == 0 { #expect(meter.isInsideHead) }
            #expect(meter.scan(second.span) == nil)
            #expect(meter.isInsideHead)
        }
    }
}
