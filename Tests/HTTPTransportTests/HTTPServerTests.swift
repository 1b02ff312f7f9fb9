import Foundation
import Logging
import NIOCore
import NIOPosix
import Testing

@testable import HTTPTransport

/// Real sockets: the server on loopback or a unix socket, our client, and stock clients.
@Suite(.timeLimit(.minutes(2))) struct HTTPServerTests {
    /// Runs `body` against an echoing server on a loop of its own, then closes it.
    private func withServer(
        _ service: TestService = .echo(), endpoint: HTTPEndpoint = .tcp(host: "127.0.0.1", port: 0),
        limits: HTTPLimits = HTTPLimits(),
        _ body: (HTTPServer, HTTPEndpoint, any EventLoop) async throws -> Void
    ) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let server = try await HTTPServer.start(
            configuration: HTTPServerConfiguration(endpoint: endpoint, limits: limits),
            group: group, service: service, logger: Logger(label: "test"))
        var reachable = endpoint
        if case .tcp = endpoint {
            reachable = .tcp(host: "127.0.0.1", port: server.localAddress?.port ?? 0)
        }
        do {
            try await body(server, reachable, group.any())
        } catch {
            await server.close()
            try await group.shutdownGracefully()
            throw error
        }
        await server.close()
        try await group.shutdownGracefully()
    }

    /// Posts a body on a new connection and returns the answer's body; closes the connection.
    private func post(
        _ text: String, to endpoint: HTTPEndpoint, on loop: any EventLoop
    ) async throws -> String {
        let answer = loop.makePromise(of: String.self)
        loop.execute {
            HTTP2ClientConnection.connect(to: endpoint, on: loop).assumeIsolated().whenComplete {
                switch $0 {
                case .failure(let error): answer.fail(error)
                case .success(let connection):
                    let response = TestResponse()
                    response.onClosed = {
                        answer.succeed(response.text)
                        connection.close()
                    }
                    do {
                        response.stream = try connection.open(
                            HTTPRequestHead(method: "POST", authority: "a", path: "/"),
                            end: false, receiver: response)
                        response.stream.send(ByteBuffer(string: text), end: true)
                    } catch {
                        answer.fail(error)
                    }
                }
            }
        }
        return try await answer.futureResult.get()
    }

    @Test func servesOverTCP() async throws {
        try await withServer { _, endpoint, loop in
            let text = try await post("over tcp", to: endpoint, on: loop)
            #expect(text == "over tcp")
        }
    }

    @Test func servesOverAUnixSocket() async throws {
        let path = NSTemporaryDirectory() + "switchyard-\(UUID().uuidString.prefix(8)).sock"
        try await withServer(endpoint: .unix(path: path)) { _, endpoint, loop in
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
            let text = try await post("over unix", to: endpoint, on: loop)
            #expect(text == "over unix")
        }
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test func carriesMegabytesThroughSockets() async throws {
        try await withServer { _, endpoint, loop in
            let text = String(repeating: "0123456789abcdef", count: 200_000)
            let echoed = try await post(text, to: endpoint, on: loop)
            #expect(echoed == text)
        }
    }

    @Test func connectionsOverTheLimitAreClosed() async throws {
        var limits = HTTPLimits()
        limits.connections = 1
        try await withServer(limits: limits) { server, endpoint, loop in
            let first = try await connect(to: endpoint, on: loop)
            await #expect(throws: HTTPStreamError.self) {
                try await connect(to: endpoint, on: loop)
            }
            #expect(server.connectionCount == 1)
            loop.execute { first.value.close() }
        }
    }

    private func connect(
        to endpoint: HTTPEndpoint, on loop: any EventLoop,
        configuration: HTTP2ClientConfiguration = HTTP2ClientConfiguration()
    ) async throws -> NIOLoopBound<HTTP2ClientConnection> {
        try await loop.flatSubmit {
            let promise = loop.makePromise(of: NIOLoopBound<HTTP2ClientConnection>.self)
            HTTP2ClientConnection.connect(to: endpoint, on: loop, configuration: configuration)
                .assumeIsolated().whenComplete { result in
                    promise.completeWith(result.map { NIOLoopBound($0, eventLoop: loop) })
                }
            return promise.futureResult
        }.get()
    }

    @Test func failsToConnectWhereNobodyListens() async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        do {
            _ = try await connect(to: .unix(path: "/nonexistent/socket"), on: group.any())
            Issue.record("connected")
        } catch let error as HTTPStreamError {
            guard case .connectFailed = error else {
                Issue.record("\(error)")
                return
            }
        }
    }

    /// A listener that accepts and says nothing.
    private func withSilentListener(
        _ body: (HTTPEndpoint, any EventLoop) async throws -> Void
    ) async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let listener = try await ServerBootstrap(group: group).bind(host: "127.0.0.1", port: 0)
            .get()
        try await body(
            .tcp(host: "127.0.0.1", port: listener.localAddress?.port ?? 0), group.any())
        try await listener.close().get()
    }

    @Test func connectingToAMutePeerTimesOut() async throws {
        try await withSilentListener { endpoint, loop in
            var configuration = HTTP2ClientConfiguration()
            configuration.connectTimeout = .milliseconds(50)
            await #expect(throws: HTTPStreamError.timeout) {
                try await connect(to: endpoint, on: loop, configuration: configuration)
            }
        }
    }

    @Test func keepaliveFindsADeadPeer() async throws {
        // A peer that sends SETTINGS and then never answers anything.
        let group = MultiThreadedEventLoopGroup.singleton
        let listener = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Greeter())
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let loop = group.any()
        var configuration = HTTP2ClientConfiguration()
        configuration.keepaliveInterval = .milliseconds(40)
        configuration.keepaliveTimeout = .milliseconds(40)
        let endpoint = HTTPEndpoint.tcp(
            host: "127.0.0.1", port: listener.localAddress?.port ?? 0)
        let closed = loop.makePromise(of: [HTTPStreamError?].self)
        loop.execute { [configuration] in
            HTTP2ClientConnection.connect(to: endpoint, on: loop, configuration: configuration)
                .assumeIsolated().whenSuccess { connection in
                    let response = TestResponse()
                    connection.onClose = { closed.succeed(response.closes + [$0]) }
                    _ = try? connection.open(
                        HTTPRequestHead(method: "GET", authority: "a", path: "/"), end: true,
                        receiver: response)
                }
        }
        let closes = try await closed.futureResult.get()
        #expect(closes == [.timeout, .timeout])
        try await listener.close().get()
    }

    @Test func drainLetsStreamsFinishAndRefusesNewConnections() async throws {
        let service = TestService()
        let arrived = AsyncStream<Void>.makeStream()
        service.onEnd = { _ in arrived.continuation.yield() }
        try await withServer(service) { server, endpoint, loop in
            async let answer = post("x", to: endpoint, on: loop)
            for await _ in arrived.stream { break }
            async let drained: Void = server.drain(deadline: .now() + .seconds(30))
            // The server's own loop is the test service's owner.
            try await loop.submit {
                service.requests[0].answer(200, "finished")
            }.get()
            let text = try await answer
            #expect(text == "finished")
            await drained
            #expect(server.connectionCount == 0)
            await #expect(throws: HTTPStreamError.self) {
                try await connect(to: endpoint, on: loop)
            }
        }
    }

    @Test func aDrainingServersLastAnswerArrivesWhole() async throws {
        let service = TestService()
        let arrived = AsyncStream<Void>.makeStream()
        service.onEnd = { _ in arrived.continuation.yield() }
        let text = String(repeating: "0123456789abcdef", count: 300_000)
        try await withServer(service) { server, endpoint, loop in
            async let answer = post("x", to: endpoint, on: loop)
            for await _ in arrived.stream { break }
            async let drained: Void = server.drain(deadline: .now() + .seconds(60))
            try await loop.submit { service.requests[0].answer(200, text) }.get()
            let received = try await answer
            #expect(received == text)
            await drained
            let closes = try await loop.submit { service.requests[0].closes }.get()
            #expect(closes == [nil])
        }
    }

    @Test func drainCutsOffAtItsDeadline() async throws {
        let service = TestService()
        let arrived = AsyncStream<Void>.makeStream()
        service.onAccept = { _ in arrived.continuation.yield() }
        try await withServer(service) { server, endpoint, loop in
            async let answer = post("x", to: endpoint, on: loop)
            for await _ in arrived.stream { break }
            await server.drain(deadline: .now() + .milliseconds(100))
            #expect(server.connectionCount == 0)
            let text = try await answer
            #expect(text == "")
            let closes = try await loop.submit { service.requests[0].closes }.get()
            #expect(closes == [.connectionClosed])
        }
    }

    @Test func aClientThatDoesNotReadStopsBeingRead() async throws {
        // Answers of 60 KB to a client that sends requests and never reads.
        let service = TestService()
        service.onEnd = { $0.answer(200, String(repeating: "z", count: 60_000)) }
        var limits = HTTPLimits()
        limits.concurrentStreams = 100_000
        limits.advertisedConcurrentStreams = 100_000
        limits.writeStallTimeout = .milliseconds(500)
        try await withServer(service, limits: limits) { server, endpoint, loop in
            guard case .tcp(let host, let port) = endpoint else { return }
            let client = try await ClientBootstrap(group: loop)
                .channelOption(.autoRead, value: false)
                .connect(host: host, port: port).get()
            let window = RawFrames.frame(4, [0, 4] + RawFrames.word(0x7fff_ffff))
            var bytes = RawFrames.preface + window + RawFrames.windowUpdate(0, 0x7000_0000)
            for index: Int32 in 0..<2_000 { bytes += RawFrames.headers(2 * index + 1) }
            client.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
            // The write stall limit ends it.
            try await client.closeFuture.get()
            let count = try await loop.submit { service.requests.count }.get()
            #expect(count > 0)
            #expect(server.connectionCount == 0)
        }
    }

    // MARK: Stock clients

    /// Runs a command, its output in a file: neither a full pipe nor a thread that waits can hold
    /// the tests up.
    private func run(_ command: [String]) async throws -> (status: Int32, output: String) {
        let path = NSTemporaryDirectory() + "switchyard-\(UUID().uuidString).txt"
        defer { try? FileManager.default.removeItem(atPath: path) }
        #expect(FileManager.default.createFile(atPath: path, contents: nil))
        let file = try FileHandle(forWritingTo: URL(filePath: path))
        let status: Int32 = try await withCheckedThrowingContinuation { continuation in
            let process = Process()
            process.executableURL = URL(filePath: "/usr/bin/env")
            process.arguments = command
            process.standardOutput = file
            process.standardError = file
            process.standardInput = FileHandle.nullDevice
            process.terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
            do {
                try process.run()
            } catch {
                continuation.resume(throwing: error)
            }
        }
        return (status, try String(contentsOfFile: path, encoding: .utf8))
    }

    private func url(_ endpoint: HTTPEndpoint) -> String {
        guard case .tcp(let host, let port) = endpoint else { return "" }
        return "http://\(host):\(port)/"
    }

    @Test func curlSpeaksToIt() async throws {
        try await withServer { _, endpoint, _ in
            let result = try await run([
                "curl", "-sS", "--http2-prior-knowledge", "--max-time", "20", "-d", "from curl",
                "-w", " %{http_code} %{http_version}", url(endpoint),
            ])
            #expect(result.output == "from curl 200 2")
        }
    }

    @Test func nghttpSpeaksToIt() async throws {
        try await withServer { _, endpoint, _ in
            let result = try await run([
                "nghttp", "-nv", "--timeout=20", "-m", "20", "-b", "10",
                "--trailer", "a: b", "-d", #filePath, url(endpoint),
            ])
            #expect(result.status == 0)
            #expect(!result.output.contains("GOAWAY") || result.output.contains("NO_ERROR"))
        }
    }

    @Test func h2loadSpeaksToIt() async throws {
        let service = TestService()
        service.onEnd = { $0.answer(200, "ok") }
        try await withServer(service) { _, endpoint, _ in
            let result = try await run([
                "h2load", "-n", "2000", "-c", "4", "-m", "50", "-t", "1", url(endpoint),
            ])
            #expect(result.output.contains("2000 succeeded, 0 failed, 0 errored"))
        }
        #expect(service.requests.count == 2_000)
        #expect(service.requests.allSatisfy { $0.closes == [nil] })
    }
}

/// Sends SETTINGS and then never says another word.
private final class Greeter: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func channelActive(context: ChannelHandlerContext) {
        context.writeAndFlush(
            wrapOutboundOut(ByteBuffer(bytes: RawFrames.settings)), promise: nil)
    }
}
