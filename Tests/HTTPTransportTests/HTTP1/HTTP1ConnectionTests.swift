import NIOCore
import NIOEmbedded
import Testing

@testable import HTTPTransport

private func ok(_ body: String) -> String {
    "HTTP/1.1 200 OK\r\ncontent-length: \(body.utf8.count)\r\ndate: D\r\n\r\n\(body)"
}

@Suite struct HTTP1ConnectionTests {
    @Test func servesRequestsInTurnOnOneConnection() throws {
        let harness = try HTTP1Harness()
        #expect(try harness.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n") == ok("GET /a "))
        #expect(
            try harness.send("POST /b?c=d HTTP/1.1\r\nhost: h:80\r\ncontent-length: 2\r\n\r\nxy")
                == ok("POST /b?c=d xy"))
        #expect(harness.isOpen)
        #expect(harness.service.exchanges.map(\.closed) == [[nil], [nil]])
        #expect(harness.service.exchanges[1].head.authority == "h:80")
        #expect(harness.service.exchanges[1].head.scheme == "http")
        #expect(harness.service.exchanges[1].head.fields["host"] == nil)
        #expect(!harness.service.exchanges[0].stream.isHTTP2)
        harness.finish()
    }

    @Test func bytesMayBeSplitAnywhere() throws {
        let request =
            "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n"
            + "3\r\nabc\r\n10;ext=1\r\n0123456789abcdef\r\n0\r\nx-sum: 7\r\n\r\n"
            + "GET /y HTTP/1.1\r\nHost: h\r\n\r\n"
        let expected = ok("POST /x abc0123456789abcdef") + ok("GET /y ")
        for cut in 1..<request.utf8.count {
            let harness = try HTTP1Harness()
            var answer = try harness.send(String(request.prefix(cut)))
            answer += try harness.send(String(request.dropFirst(cut)))
            #expect(answer == expected, "cut at \(cut)")
            #expect(harness.service.exchanges[0].trailers == ["x-sum": "7"])
            harness.finish()
        }
        let harness = try HTTP1Harness()
        var answer = ""
        for character in request.unicodeScalars { answer += try harness.send(String(character)) }
        #expect(answer == expected)
        harness.finish()
    }

    @Test func pipelinedRequestsAreAnsweredInOrder() throws {
        let service = RecordingService()
        let harness = try HTTP1Harness(service)
        let all = try harness.send(
            (1...3).map { "GET /\($0) HTTP/1.1\r\nHost: h\r\n\r\n" }.joined())
        #expect(all == "")
        // The second is not even begun before the first is answered.
        #expect(service.exchanges.count == 1)
        service.exchanges[0].answer("1")
        #expect(try harness.received() == ok("1"))
        #expect(service.exchanges.count == 2)
        service.onEnd = { $0.answer("3") }
        service.exchanges[1].answer("2")
        #expect(try harness.received() == ok("2") + ok("3"))
        #expect(harness.isOpen)
        harness.finish()
    }

    @Test func doesNotReadWhilePipelinedRequestsWait() throws {
        let service = RecordingService()
        let harness = try HTTP1Harness(service)
        try harness.send("GET /1 HTTP/1.1\r\nHost: h\r\n\r\n")
        harness.channel.read()
        let before = harness.reads.count
        #expect(before > 0)
        try harness.send("GET /2 HTTP/1.1\r\nHost: h\r\n\r\n")
        harness.channel.read()
        #expect(harness.reads.count == before)
        service.exchanges[0].answer("1")
        #expect(try harness.received() == ok("1"))
        #expect(harness.reads.count == before + 1)
        harness.finish()
    }

    @Test func dropsWhatExceedsThePipelineAndCloses() throws {
        var limits = HTTPLimits()
        limits.pipelinedRequests = 2
        let service = RecordingService()
        let harness = try HTTP1Harness(service, limits: limits)
        try harness.send((1...9).map { "GET /\($0) HTTP/1.1\r\nHost: h\r\n\r\n" }.joined())
        service.onEnd = { $0.answer($0.head.path) }
        service.exchanges[0].answer("/1")
        let answer = try harness.received()
        #expect(
            answer == ok("/1") + ok("/2")
                + "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ndate: D\r\nconnection: close\r\n\r\n/3")
        #expect(!harness.isOpen)
        #expect(service.exchanges.count == 3)
        harness.finish()
    }

    @Test func streamsInChunksWithTrailers() throws {
        let service = RecordingService()
        let harness = try HTTP1Harness(service)
        try harness.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        let stream = service.exchanges[0].stream
        stream.send(HTTPResponseHead(status: 200, fields: ["date": "D"]), end: false)
        #expect(
            try harness.received()
                == "HTTP/1.1 200 OK\r\ndate: D\r\ntransfer-encoding: chunked\r\n\r\n")
        stream.send(ByteBuffer(string: "data: 1\n\n"), end: false)
        stream.send(ByteBuffer(), end: false)
        stream.send(ByteBuffer(string: String(repeating: "x", count: 300)), end: false)
        // One write per loop turn.
        harness.channel.embeddedEventLoop.run()
        let part = try harness.channel.readOutbound(as: ByteBuffer.self).map { String(buffer: $0) }
        #expect(
            part == "9\r\ndata: 1\n\n\r\n12c\r\n" + String(repeating: "x", count: 300) + "\r\n")
        #expect(try harness.received() == "")
        #expect(service.exchanges[0].closed.isEmpty)
        stream.send(trailers: ["x-end": "yes\r\nx-bad: 1"])
        #expect(try harness.received() == "0\r\nx-end: yes  x-bad: 1\r\n\r\n")
        #expect(service.exchanges[0].closed == [nil])
        #expect(harness.isOpen)
        harness.finish()
    }

    @Test func headAnd204HaveNoBody() throws {
        let service = RecordingService.echo()
        let harness = try HTTP1Harness(service)
        #expect(
            try harness.send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n")
                == "HTTP/1.1 200 OK\r\ncontent-length: 7\r\ndate: D\r\n\r\n")
        service.onEnd = { exchange in
            exchange.stream.send(
                HTTPResponseHead(
                    status: 204,
                    fields: ["date": "D", "content-length": "0", "connection": "close"]),
                end: true)
        }
        #expect(
            try harness.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                == "HTTP/1.1 204 No Content\r\ndate: D\r\n\r\n")
        service.onEnd = { $0.stream.send(HTTPResponseHead(status: 404), end: true) }
        let answer = try harness.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(answer.hasPrefix("HTTP/1.1 404 Not Found\r\ndate: "))
        #expect(answer.hasSuffix(" GMT\r\ncontent-length: 0\r\n\r\n"))
        #expect(harness.isOpen)
        harness.finish()
    }

    @Test func http10IsServed() throws {
        let harness = try HTTP1Harness()
        #expect(
            try harness.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
                == "HTTP/1.1 200 OK\r\ncontent-length: 6\r\ndate: D\r\n"
                + "connection: keep-alive\r\n\r\nGET / ")
        #expect(harness.isOpen)
        harness.service.onEnd = { exchange in
            exchange.stream.send(HTTPResponseHead(status: 103), end: false)
            exchange.stream.send(HTTPResponseHead(status: 200, fields: ["date": "D"]), end: false)
            exchange.stream.send(ByteBuffer(string: "until"), end: false)
            exchange.stream.send(ByteBuffer(string: " close"), end: true)
        }
        #expect(
            try harness.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
                == "HTTP/1.1 200 OK\r\ndate: D\r\nconnection: close\r\n\r\nuntil close")
        #expect(!harness.isOpen)
        #expect(harness.service.exchanges[1].closed == [nil])
        harness.finish()
    }

    @Test func connectionCloseIsHeeded() throws {
        let harness = try HTTP1Harness()
        let answer = try harness.send(
            "GET /1 HTTP/1.1\r\nHost: h\r\nConnection: x, Close\r\n\r\nGET /2 HTTP/1.1\r\n")
        #expect(
            answer == "HTTP/1.1 200 OK\r\ncontent-length: 7\r\ndate: D\r\nconnection: close\r\n\r\n"
                + "GET /1 ")
        #expect(!harness.isOpen)
        #expect(harness.service.exchanges.count == 1)
        harness.finish()
    }

    @Test func continuesWhenExpected() throws {
        let harness = try HTTP1Harness()
        let head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-Continue\r\n\r\n"
        #expect(try harness.send(head) == "HTTP/1.1 100 Continue\r\n\r\n")
        #expect(try harness.send("ab") == ok("POST / ab"))
        // An answer inside of accept replaces the 100 and ends the connection.
        harness.service.onAccept = { $0.answer("no", status: 401) }
        harness.service.onEnd = { _ in }
        #expect(
            try harness.send(head)
                == "HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\ndate: D\r\n"
                + "connection: close\r\n\r\nno")
        #expect(!harness.isOpen)
        #expect(harness.service.exchanges[1].closed == [nil])
        harness.finish()
    }

    @Test func upgradesAreIgnored() throws {
        let harness = try HTTP1Harness()
        let upgrade =
            "POST /u HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\n"
            + "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nContent-Length: 2\r\n\r\nab"
        let websocket =
            "GET /w HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
        #expect(
            try harness.send(upgrade + websocket + upgrade + "GET /n HTTP/1.1\r\nHo")
                == ok("POST /u ab") + ok("GET /w ") + ok("POST /u ab"))
        #expect(try harness.send("st: h\r\n\r\n") == ok("GET /n "))
        #expect(harness.service.exchanges.allSatisfy { $0.head.fields["upgrade"] == nil })
        harness.finish()
    }

    @Test func answersBeforeTheBodysEndKeepTheConnectionWhenTheRestIsShort() throws {
        let service = RecordingService()
        service.onAccept = { $0.answer("early") }
        let harness = try HTTP1Harness(service)
        let head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n"
        #expect(try harness.send(head + "x") == ok("early"))
        #expect(service.exchanges[0].closed == [nil])
        #expect(try harness.send(String(repeating: "x", count: 999)) == "")
        #expect(try harness.send(head) == ok("early"))
        // The rest does not come in time.
        #expect(try harness.advance(.seconds(3)) == "")
        #expect(!harness.isOpen)
        harness.finish()
    }

    @Test func answersBeforeTheBodysEndCloseWhenTheRestIsLong() throws {
        var limits = HTTPLimits()
        limits.discardedBodyBytes = 10
        let service = RecordingService()
        service.onAccept = { $0.answer("early") }
        let known = try HTTP1Harness(service, limits: limits)
        let answer = try known.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n")
        #expect(answer.contains("connection: close"))
        #expect(!known.isOpen)
        let unknown = try HTTP1Harness(service, limits: limits)
        let head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        #expect(try unknown.send(head) == ok("early"))
        #expect(try unknown.send("a\r\n0123456789\r\n") == "")
        #expect(unknown.isOpen)
        #expect(try unknown.send("1\r\n0\r\n") == "")
        #expect(!unknown.isOpen)
        known.finish()
        unknown.finish()
    }

    @Test func readsNoMoreThanTheWindowUntilTheBodyIsConsumed() throws {
        var limits = HTTPLimits()
        limits.streamWindowBytes = 100
        let service = RecordingService()
        service.consumes = false
        let harness = try HTTP1Harness(service, limits: limits)
        try harness.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n")
        try harness.send(String(repeating: "x", count: 99))
        harness.channel.read()
        let open = harness.reads.count
        try harness.send("y")
        harness.channel.read()
        #expect(harness.reads.count == open)
        service.exchanges[0].stream.consume(1)
        #expect(harness.reads.count == open + 1)
        harness.finish()
    }

    @Test func slowReadersStopTheProducer() throws {
        var limits = HTTPLimits()
        limits.outputHighWatermarkBytes = 1_000
        limits.outputLowWatermarkBytes = 100
        limits.outputHardLimitBytes = 5_000
        let service = RecordingService()
        let harness = try HTTP1Harness(service, limits: limits)
        try harness.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        let exchange = service.exchanges[0]
        harness.holdWrites()
        exchange.stream.send(HTTPResponseHead(status: 200), end: false)
        exchange.stream.send(ByteBuffer(repeating: 1, count: 1_000), end: false)
        #expect(!exchange.stream.isWritable)
        #expect(exchange.stream.unsentBytes > 1_000)
        harness.channel.embeddedEventLoop.run()
        #expect(exchange.writability == [false])
        harness.releaseWrites()
        #expect(exchange.stream.isWritable)
        #expect(exchange.writability == [false, true])
        #expect(exchange.stream.unsentBytes == 0)
        harness.holdWrites()
        for _ in 0..<10 {
            exchange.stream.send(ByteBuffer(repeating: 1, count: 1_000), end: false)
        }
        #expect(exchange.stream.unsentBytes < 7_000)
        #expect(exchange.closed.isEmpty)
        harness.channel.embeddedEventLoop.run()
        #expect(exchange.closed == [.outputLimitExceeded])
        #expect(!harness.isOpen)
        harness.finish()
    }

    @Test func aClientThatLeavesIsNoticed() throws {
        let service = RecordingService()
        let harness = try HTTP1Harness(service)
        try harness.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        let exchange = service.exchanges[0]
        exchange.stream.send(HTTPResponseHead(status: 200), end: false)
        harness.channel.close(promise: nil)
        #expect(exchange.closed == [.connectionClosed])
        // Dead handles do nothing.
        exchange.stream.send(ByteBuffer(string: "x"), end: true)
        exchange.stream.consume(1)
        exchange.stream.reset(.cancel)
        harness.finish()
        #expect(exchange.closed == [.connectionClosed])
    }

    @Test func aHalfClosedClientIsGone() throws {
        let service = RecordingService()
        let harness = try HTTP1Harness(service)
        try harness.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        harness.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        harness.channel.embeddedEventLoop.run()
        #expect(service.exchanges[0].closed == [.connectionClosed])
        #expect(!harness.isOpen)
        harness.finish()
    }

    @Test func resetClosesAfterTheCall() throws {
        let service = RecordingService()
        service.onAccept = { exchange in
            exchange.stream.reset(.internalError)
            #expect(exchange.closed.isEmpty)
        }
        let harness = try HTTP1Harness(service)
        #expect(try harness.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n") == "")
        #expect(service.exchanges[0].closed == [.resetLocally(code: 2)])
        #expect(!harness.isOpen)
        harness.finish()
    }

    @Test func drainEndsIdleConnectionsAndLastResponses() throws {
        let idle = try HTTP1Harness()
        _ = try idle.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        idle.channel.pipeline.fireUserInboundEventTriggered(HTTPDrainEvent())
        #expect(try idle.received() == "")
        #expect(!idle.isOpen)

        let service = RecordingService()
        let busy = try HTTP1Harness(service)
        try busy.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        busy.channel.pipeline.fireUserInboundEventTriggered(HTTPDrainEvent())
        #expect(try busy.received() == "")
        #expect(busy.isOpen)
        service.exchanges[0].answer("x")
        #expect(
            try busy.received()
                == "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ndate: D\r\nconnection: close\r\n\r\nx")
        #expect(!busy.isOpen)
        idle.finish()
        busy.finish()
    }

    @Test func aShortBodyEndsTheConnection() throws {
        let service = RecordingService()
        service.onEnd = { exchange in
            exchange.stream.send(
                HTTPResponseHead(status: 200, fields: ["content-length": "5"]), end: false)
            exchange.stream.send(ByteBuffer(string: "abc"), end: true)
        }
        let harness = try HTTP1Harness(service)
        #expect(try harness.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").hasSuffix("\r\n\r\nabc"))
        #expect(!harness.isOpen)
        harness.finish()
    }
}
