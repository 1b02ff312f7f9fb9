import Foundation
import Logging
import NIOCore
import NIOEmbedded
import NIOPosix
import Testing

@testable import HTTPTransport

/// The handler alone, byte by byte.
@Suite struct HTTP1ClientTests {
    /// Counts what the handler lets through to the socket.
    private final class Reads: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer
        var count = 0

        func read(context: ChannelHandlerContext) {
            count += 1
            context.read()
        }
    }

    private struct Client {
        let channel: EmbeddedChannel
        let handler: HTTP1ClientHandler
        let reads: Reads

        init(_ limits: HTTPLimits = HTTPLimits()) throws {
            channel = EmbeddedChannel()
            reads = Reads()
            try channel.pipeline.syncOperations.addHandler(reads)
            var configuration = HTTP1ClientConfiguration()
            configuration.limits = limits
            handler = try HTTP1ClientConnection.addHandlers(
                to: channel, configuration: configuration)
            try channel.connect(to: .init(ipAddress: "127.0.0.1", port: 80)).wait()
        }

        @discardableResult
        func post(_ body: String? = "{}") throws -> TestResponse {
            let response = TestResponse()
            var head = HTTPRequestHead(method: "POST", authority: "a:1", path: "/x?y")
            if let body { head.fields.append("content-length", "\(body.utf8.count)") }
            response.stream = HTTPClientStream(
                try handler.open(head, end: body == nil, receiver: response))
            if let body { response.stream.send(ByteBuffer(string: body), end: true) }
            return response
        }

        func answer(_ text: String) {
            // Errors of the parser are the handler's to report.
            _ = try? channel.writeInbound(ByteBuffer(string: text))
        }

        func sent() throws -> String {
            var text = ""
            while let bytes = try channel.readOutbound(as: ByteBuffer.self) {
                text += String(buffer: bytes)
            }
            return text
        }

        func turn() { channel.embeddedEventLoop.run() }

        /// The server closes.
        func end() {
            channel.pipeline.fireChannelInactive()
            turn()
        }
    }

    @Test func writesWholeRequests() throws {
        let client = try Client()
        try client.post("{\"a\":1}")
        #expect(
            try client.sent()
                == "POST /x?y HTTP/1.1\r\nhost: a:1\r\ncontent-length: 7\r\n\r\n{\"a\":1}")
    }

    @Test func keepsTheConnectionForTheNextRequest() throws {
        let client = try Client()
        var idle = 0
        client.handler.onIdle = { idle += 1 }
        let first = try client.post()
        #expect(!client.handler.isIdle)
        #expect(throws: HTTPStreamError.tooManyStreams) { try client.post() }
        client.answer("HTTP/1.1 200 OK\r\nX-A: b\r\ncontent-length: 2\r\n\r\nhi")
        #expect(first.text == "hi" && first.isEnded && first.closes == [nil])
        #expect(
            first.head
                == HTTPResponseHead(status: 200, fields: ["x-a": "b", "content-length": "2"]))
        #expect(idle == 1 && client.handler.isIdle)
        let second = try client.post()
        // What a finished stream is told is for nobody.
        first.stream.reset()
        first.stream.consume(7)
        client.turn()
        client.answer("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 X\r\n")
        client.answer("transfer-encoding: chunked\r\n\r\n2\r\nno\r\n0\r\nt: 1\r\n\r\n")
        #expect(second.head?.status == 404 && second.text == "no" && second.closes == [nil])
        #expect(second.trailers == ["t": "1"])
    }

    @Test func closesWhenTheServerSaysSo() throws {
        let client = try Client()
        let response = try client.post()
        client.answer("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        client.turn()
        #expect(response.closes == [nil])
        #expect(!client.handler.isIdle && !client.channel.isActive)
    }

    @Test func aBodyWithoutLengthEndsWithTheConnection() throws {
        let client = try Client()
        let response = try client.post()
        client.answer("HTTP/1.1 200 OK\r\n\r\nabc")
        #expect(response.text == "abc" && !response.isEnded)
        client.end()
        #expect(response.isEnded && response.closes == [nil])
    }

    @Test(arguments: [
        "", "HTTP/1.1 200 OK\r\ncontent-le", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabc",
    ])
    func aCutResponseIsAnError(bytes: String) throws {
        let client = try Client()
        let response = try client.post()
        if !bytes.isEmpty { client.answer(bytes) }
        client.end()
        #expect(response.closes == [.connectionClosed] && !response.isEnded)
    }

    @Test(arguments: [
        "SSH-2.0-x\r\n", "HTTP/1.1 101 Up\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ])
    func otherBytesAreAViolation(bytes: String) throws {
        let client = try Client()
        let response = try client.post()
        client.answer(bytes)
        client.turn()
        #expect(response.closes == [.protocolViolation])
        #expect(!client.channel.isActive)
    }

    @Test func headersAreBounded() throws {
        var limits = HTTPLimits()
        limits.headerBytes = 256
        let client = try Client(limits)
        let response = try client.post()
        client.answer("HTTP/1.1 200 OK\r\nx: \(String(repeating: "a", count: 300))\r\n")
        client.turn()
        #expect(response.closes == [.headersTooLarge])
    }

    @Test func anUnreadBodyStopsReading() throws {
        var limits = HTTPLimits()
        limits.streamWindowBytes = 4
        let client = try Client(limits)
        let response = try client.post()
        response.consumes = false
        client.channel.read()
        let before = client.reads.count
        client.answer("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabcde")
        client.channel.read()
        client.channel.read()
        #expect(client.reads.count == before)
        response.stream.consume(1)
        #expect(client.reads.count == before)
        response.stream.consume(1)
        #expect(client.reads.count == before + 1)
        client.channel.read()
        #expect(client.reads.count == before + 2)
    }

    @Test func aResetClosesTheConnection() throws {
        let client = try Client()
        let response = try client.post()
        response.stream.reset()
        #expect(response.closes.isEmpty)
        client.turn()
        #expect(response.closes == [.resetLocally(code: 8)])
        #expect(!client.channel.isActive)
        #expect(throws: HTTPStreamError.self) { try client.post() }
    }

    /// RFC 9112 §9.3: the server may not read what follows.
    @Test func anEarlyAnswerIsTheLast() throws {
        let client = try Client()
        let response = TestResponse()
        response.stream = HTTPClientStream(
            try client.handler.open(
                HTTPRequestHead(
                    method: "POST", authority: "a", path: "/", fields: ["content-length": "9"]),
                end: false, receiver: response))
        client.answer("HTTP/1.1 413 X\r\ncontent-length: 0\r\n\r\n")
        client.turn()
        #expect(response.closes == [nil] && !client.channel.isActive)
    }
}

/// Over sockets, to our own server.
@Suite(.timeLimit(.minutes(2))) struct HTTP1ClientSocketTests {
    private let group = MultiThreadedEventLoopGroup.singleton

    private func withServer(
        tls: TLSFiles?, _ body: (HTTPEndpoint) async throws -> Void
    ) async throws {
        var configuration = HTTPServerConfiguration(endpoint: .tcp(host: "127.0.0.1", port: 0))
        configuration.tls = try tls.map { try TLSServerContext($0) }
        let server = try await HTTPServer.start(
            configuration: configuration, group: group, service: TestService.echo(),
            logger: Logger(label: "test"))
        do {
            try await body(.tcp(host: "127.0.0.1", port: server.localAddress?.port ?? 0))
        } catch {
            await server.close()
            throw error
        }
        await server.close()
    }

    /// The bodies that came back for `texts`, sent one after the other on one connection.
    private func post(
        _ texts: [String], to endpoint: HTTPEndpoint, _ tls: HTTPClientTLS?
    ) async throws -> [String] {
        let loop = group.any()
        let promise = loop.makePromise(of: [String].self)
        loop.execute {
            var configuration = HTTP1ClientConfiguration()
            configuration.tls = tls
            HTTP1ClientConnection.connect(to: endpoint, on: loop, configuration: configuration)
                .assumeIsolated().whenComplete { result in
                    switch result {
                    case .failure(let error): promise.fail(error)
                    case .success(let connection):
                        Self.send(texts[...], [], on: connection, promise)
                    }
                }
        }
        return try await promise.futureResult.get()
    }

    private static func send(
        _ texts: ArraySlice<String>, _ answers: [String], on connection: HTTP1ClientConnection,
        _ promise: EventLoopPromise<[String]>
    ) {
        guard let text = texts.first else {
            connection.close()
            return promise.succeed(answers)
        }
        let response = TestResponse()
        do {
            response.stream = try connection.open(
                HTTPRequestHead(
                    method: "POST", authority: "localhost", path: "/",
                    fields: ["content-length": "\(text.utf8.count)"]),
                end: false, receiver: response)
        } catch {
            return promise.fail(error)
        }
        connection.onIdle = {
            send(texts.dropFirst(), answers + [response.text], on: connection, promise)
        }
        connection.onClosed = { promise.fail($0) }
        response.stream.send(ByteBuffer(string: text), end: true)
    }

    @Test func sendsSeveralRequestsOnOneConnection() async throws {
        try await withServer(tls: nil) { endpoint in
            let texts = ["one", String(repeating: "0123456789abcdef", count: 12_000), "three"]
            let answers = try await post(texts, to: endpoint, nil)
            #expect(answers == texts)
        }
    }

    @Test func checksTheCertificate() async throws {
        let directory = NSTemporaryDirectory() + "switchyard-h1tls-\(UUID().uuidString.prefix(8))"
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let files = try SelfSignedCertificate.files(in: directory)
        try await withServer(tls: files) { endpoint in
            let trusted = try TLSClientContext(
                authorityPath: files.certificateChainPath, files: nil, protocols: ["http/1.1"])
            // By address, which the certificate has, and by name.
            let byAddress = try await post(
                ["secret"], to: endpoint, HTTPClientTLS(context: trusted, serverName: nil))
            #expect(byAddress == ["secret"])
            guard case .tcp(_, let port) = endpoint else { return }
            let named = HTTPEndpoint.tcp(host: "localhost", port: port)
            let byName = try await post(
                ["secret"], to: named, HTTPClientTLS(context: trusted, serverName: "localhost"))
            #expect(byName == ["secret"])
            let stranger = try TLSClientContext(
                authorityPath: nil, files: nil, protocols: ["http/1.1"])
            await #expect(throws: HTTPStreamError.self) {
                try await post(
                    ["secret"], to: endpoint, HTTPClientTLS(context: stranger, serverName: nil))
            }
        }
    }

    @Test func failsToConnectWhereNobodyListens() async throws {
        await #expect(throws: HTTPStreamError.self) {
            try await post(["x"], to: .unix(path: "/nonexistent/socket"), nil)
        }
    }
}
