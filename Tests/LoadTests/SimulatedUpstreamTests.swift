import Foundation
import NIOCore
import NIOPosix
import Testing

@testable import SimulatedUpstream

/// Over real sockets, byte for byte.
@Suite(.timeLimit(.minutes(5))) struct SimulatedUpstreamTests {
    /// Collects what a connection receives, until it ends as asked or is closed.
    private final class Collector: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let isWhole: @Sendable (String) -> Bool
        private let received: EventLoopPromise<String>
        private var text = ""

        init(
            _ received: EventLoopPromise<String>,
            until isWhole: @escaping @Sendable (String) -> Bool
        ) {
            self.received = received
            self.isWhole = isWhole
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            text += String(buffer: unwrapInboundIn(data))
            if isWhole(text) { received.succeed(text) }
        }

        func channelInactive(context: ChannelHandlerContext) { received.succeed(text) }
    }

    private func exchange(
        _ upstream: SimulatedUpstream, _ request: String,
        until isWhole: @escaping @Sendable (String) -> Bool
    ) async throws -> String {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let received = loop.makePromise(of: String.self)
        let address = try #require(upstream.address)
        let channel = try await ClientBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        Collector(received, until: isWhole))
                }
            }
            .connect(to: address).get()
        try await channel.writeAndFlush(ByteBuffer(string: request)).get()
        let text = try await received.futureResult.get()
        // Fails where the server closed it first.
        try? await channel.close()
        return text
    }

    private func with(
        _ change: (inout UpstreamConfiguration) -> Void = { _ in },
        _ body: (SimulatedUpstream) async throws -> Void
    ) async throws {
        var configuration = UpstreamConfiguration()
        change(&configuration)
        let upstream = try await SimulatedUpstream.start(configuration)
        do {
            try await body(upstream)
        } catch {
            try await upstream.close()
            throw error
        }
        try await upstream.close()
    }

    private static func post(_ body: String, _ fields: String = "") -> String {
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n\(fields)"
            + "content-length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    private static func ask(_ tokens: Int, _ more: String = "") -> String {
        "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"\\\"stream\\\":false\"}],"
            + "\"stream\": true, \"max_tokens\" : \(tokens)\(more)}"
    }

    /// The payloads of a chunked response's events, with the chunks' lengths checked.
    private static func events(_ response: String) throws -> [String] {
        let parts = response.components(separatedBy: "\r\n\r\n")
        var rest = Substring(parts.dropFirst().joined(separator: "\r\n\r\n"))
        var events: [String] = []
        while true {
            let line = rest.prefix { $0 != "\r\n" }
            let length = try #require(Int(line, radix: 16), "no chunk: \(rest.prefix(80))")
            rest = rest.dropFirst(line.count + 1)
            guard length > 0 else { break }
            let chunk = String(decoding: rest.utf8.prefix(length), as: UTF8.self)
            rest = Substring(rest.utf8.dropFirst(length))
            #expect(rest.hasPrefix("\r\n"))
            rest = rest.dropFirst()
            #expect(chunk.hasPrefix("data: ") && chunk.hasSuffix("\n\n"))
            events.append(String(chunk.dropFirst(6).dropLast(2)))
        }
        #expect(rest == "\r\n")
        return events
    }

    private static let isEnded: @Sendable (String) -> Bool = { $0.hasSuffix("\r\n0\r\n\r\n") }

    private static func content(_ event: String) throws -> String? {
        let object = try JSONSerialization.jsonObject(with: Data(event.utf8)) as? [String: Any]
        let choice = (object?["choices"] as? [[String: Any]])?.first
        return (choice?["delta"] as? [String: Any])?["content"] as? String
    }

    @Test(arguments: [0.0, 1.0])
    func streamsTheTokensAskedForAndNoUsage(step: Double) async throws {
        try await with {
            $0.stepMilliseconds = step
            $0.phases = 2
            $0.eventsPerWrite = 3
        } _: { upstream in
            let text = try await exchange(upstream, Self.post(Self.ask(20)), until: Self.isEnded)
            #expect(text.hasPrefix("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream"))
            let events = try Self.events(text)
            // Role, tokens, finish, end.
            #expect(events.count == 23)
            #expect(events.last == "[DONE]")
            let words = try events.dropLast().compactMap(Self.content).filter { !$0.isEmpty }
            #expect(words == (0..<20).map { RenderedAnswers.words[$0 % 16] })
            #expect(events[21].contains("\"finish_reason\":\"length\""))
            #expect(!text.contains("usage"))
        }
    }

    @Test func usageIsForWhoAsks() async throws {
        try await with { upstream in
            let request = Self.post(Self.ask(3, ",\"stream_options\":{\"include_usage\":true}"))
            let events = try Self.events(
                try await exchange(upstream, request, until: Self.isEnded))
            #expect(events.count == 7)
            #expect(events[5].contains("\"choices\":[],\"usage\":{\"prompt_tokens\":"))
            #expect(events[5].contains("\"completion_tokens\":3,"))
        }
    }

    @Test func wholeAnswersHaveTheirLengthAndAConnectionServesSeveral() async throws {
        try await with { upstream in
            let request = Self.post("{\"messages\":[],\"max_completion_tokens\":2}")
            let text = try await exchange(
                upstream, request,
                until: { $0.contains("total_tokens\":") && $0.hasSuffix("}") })
            let body = try #require(text.components(separatedBy: "\r\n\r\n").last)
            #expect(text.contains("content-length: \(body.utf8.count)\r\n"))
            #expect(body.contains("\"content\":\" time year\""))

            let both = try await exchange(
                upstream,
                Self.post("{\"max_tokens\":1}") + "GET /health HTTP/1.1\r\nhost: x\r\n\r\n",
                until: { $0.hasSuffix("{\"status\":\"ok\"}") })
            #expect(both.components(separatedBy: "HTTP/1.1 200 OK").count == 3)
        }
    }

    @Test func answersWhatGatewaysAskBeforeTheyUseIt() async throws {
        try await with {
            $0.model = "a \"b\""
        } _: { upstream in
            for path in ["/v1/models", "/health", "/get_model_info", "/get_server_info"] {
                let text = try await exchange(
                    upstream, "GET \(path)?x=1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
                    until: { _ in false })
                #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n"))
                let body = try #require(text.components(separatedBy: "\r\n\r\n").last)
                _ = try JSONSerialization.jsonObject(with: Data(body.utf8))
                if path == "/v1/models" { #expect(body.contains("\"id\":\"a \\\"b\\\"\"")) }
            }
            let none = try await exchange(
                upstream, "GET /none HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
                until: { _ in false })
            #expect(none.hasPrefix("HTTP/1.1 404 "))
        }
    }

    @Test func bodiesAreBounded() async throws {
        try await with {
            $0.bodyBytesMax = 10
        } _: { upstream in
            let text = try await exchange(
                upstream, Self.post("{\"max_tokens\":1}", "connection: close\r\n"),
                until: { _ in false })
            #expect(text.hasPrefix("HTTP/1.1 413 "))
        }
    }

    @Test func aStampIsReadWhereverItIsCut() throws {
        var written = ByteBuffer(string: "a@12@")
        EventStamp.append(1_234_567, to: &written)
        written.writeString("x")
        EventStamp.append(UInt64(Int64.max), to: &written)
        for cut in 0...written.readableBytes {
            var stamp = EventStamp()
            var found: [UInt64] = []
            for part in [
                written.getSlice(at: 0, length: cut),
                written.getSlice(at: cut, length: written.readableBytes - cut),
            ] {
                let bytes = try #require(part)
                stamp.scan(bytes.readableBytesUInt8Span) { found.append($0) }
            }
            #expect(found == [1_234_567, UInt64(Int64.max)])
        }
    }

    @Test func delaysOfStampedStreamsAreMeasured() async throws {
        try await with {
            $0.stepMilliseconds = 2
            $0.phases = 4
            $0.isStamped = true
        } _: { upstream in
            let port = try #require(upstream.address?.port)
            var configuration = EventDelayRun.Configuration(
                host: "127.0.0.1", port: port, model: "m")
            configuration.streams = 8
            configuration.warmUpSeconds = 0.1
            configuration.seconds = 600
            configuration.events = 80
            let report = try await EventDelayRun.perform(configuration) {}
            #expect(report.delivering == 8 && report.failed == 0)
            let delay = try #require(report.delay)
            #expect(delay.count >= 80 && delay.p50 > 0 && delay.p50 <= delay.max)
        }
    }

    @Test func statsAreOfAllThreads() async throws {
        try await with {
            $0.threads = 2
        } _: { upstream in
            // A connection on each loop.
            for _ in 0..<2 {
                _ = try await exchange(upstream, Self.post(Self.ask(5)), until: Self.isEnded)
            }
            _ = try await exchange(
                upstream, Self.post("{\"max_tokens\":7}", "connection: close\r\n"),
                until: { _ in false })
            let text = try await exchange(
                upstream, "GET /stats HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
                until: { _ in false })
            #expect(text.contains("{\"tokens\":17,"), "\(text)")
        }
    }

    @Test(arguments: [10_000_001, 999_999_999, 10_000_000_000, Int.max])
    func answersAreBounded(_ tokens: Int) async throws {
        try await with {
            $0.stepMilliseconds = 60_000
        } _: { upstream in
            let text = try await exchange(
                upstream, Self.post("{\"max_tokens\":\(tokens)}", "connection: close\r\n"),
                until: { _ in false })
            #expect(text.hasPrefix("HTTP/1.1 400 "))
        }
    }

    @Test func configurationsAreChecked() async {
        func expectRefusal(_ change: (inout UpstreamConfiguration) -> Void) async {
            var configuration = UpstreamConfiguration()
            change(&configuration)
            let refused = configuration
            await #expect(throws: UpstreamConfigurationError.self) {
                try await SimulatedUpstream.start(refused)
            }
        }
        await expectRefusal { $0.stepMilliseconds = .infinity }
        await expectRefusal { $0.stepMilliseconds = -1 }
        await expectRefusal { $0.firstTokenMilliseconds = .nan }
        await expectRefusal { $0.defaultTokens = .max }
        await expectRefusal { $0.phases = 0 }
        // A moment of no time.
        await expectRefusal { $0.stepMilliseconds = 1e-7 }
        await expectRefusal {
            $0.stepMilliseconds = 0.005
            $0.phases = 10_000
        }
    }

    @Test func lateTimersKeepThePaceUpToAStep() {
        func moments(_ late: Int64) -> [Int64] {
            let (passed, given) = StepTimer.moments(late: late, 100, phases: 4)
            return [passed, Int64(given)]
        }
        #expect(moments(-5) == [1, 1])
        #expect(moments(99) == [1, 1])
        #expect(moments(100) == [2, 2])
        #expect(moments(399) == [4, 4])
        #expect(moments(1_000) == [11, 4])
    }
}
