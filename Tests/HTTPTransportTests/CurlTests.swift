import Dispatch
import Foundation
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import HTTPTransport

/// Real sockets, the real server, and the curl of the machine.
@Suite struct CurlTests {
    @Test func speaksBothProtocolsOnOnePlainPort() async throws {
        try await withServer { port in
            let url = "http://127.0.0.1:\(port)/echo?x=1"
            #expect(await curl(url) == "1.1 200 GET /echo?x=1 http h1 ")
            #expect(
                await curl("--http2-prior-knowledge", url) == "2 200 GET /echo?x=1 http h2 ")
            // An upgrade is ignored.
            #expect(
                await curl("--http2", url, url)
                    == [
                        "1.1 200 GET /echo?x=1 http h1 ", "1.1 200 GET /echo?x=1 http h1 ",
                    ].joined())
            #expect(await curl("--http1.0", url) == "1.1 200 GET /echo?x=1 http h1 ")
        }
    }

    @Test func takesBodiesOfEveryFraming() async throws {
        try await withServer { port in
            let url = "http://127.0.0.1:\(port)/"
            for version in ["--http1.1", "--http2-prior-knowledge"] {
                let name =
                    version == "--http1.1" ? "1.1 200 POST / http h1 " : "2 200 POST / http h2 "
                #expect(await curl(version, "-d", "body", url) == name + "body")
                #expect(
                    await curl(
                        version, "-d", "body", "-H", "Transfer-Encoding: chunked", url)
                        == name + "body")
                #expect(
                    await curl(version, "-d", "body", "-H", "Expect: 100-continue", url)
                        == name + "body")
            }
        }
    }

    @Test func refusesLargeBodiesReadably() async throws {
        var limits = HTTPLimits()
        limits.bodyBytes = 100_000
        try await withServer(limits: limits) { port in
            let url = "http://127.0.0.1:\(port)/"
            let file = temporary("large")
            defer { try? FileManager.default.removeItem(atPath: file) }
            try Data(count: 3_000_000).write(to: URL(fileURLWithPath: file))
            for extra in [
                [], ["-H", "Expect:"], ["-H", "Transfer-Encoding: chunked"],
            ] {
                #expect(
                    await curl(["--data-binary", "@\(file)", url] + extra) == "1.1 413 refused",
                    "\(extra)")
            }
            #expect(
                await curl("--http2-prior-knowledge", "--data-binary", "@\(file)", url)
                    == "2 413 refused")
        }
    }

    @Test func decodesAndStreams() async throws {
        try await withServer { port in
            let url = "http://127.0.0.1:\(port)/"
            let file = temporary("gzip")
            defer { try? FileManager.default.removeItem(atPath: file) }
            try Data("plain".utf8).write(to: URL(fileURLWithPath: file))
            _ = await run("gzip", ["-f", file])
            defer { try? FileManager.default.removeItem(atPath: file + ".gz") }
            for version in ["--http1.1", "--http2-prior-knowledge"] {
                let answer = await curl(
                    version, "--data-binary", "@\(file).gz", "-H", "content-encoding: gzip", url)
                #expect(answer.hasSuffix("plain"))
                for _ in 0..<20 {
                    // Head and body often come apart: the answer must not depend on it.
                    let refused = await curl(
                        version, "-d", "x", "-H", "content-encoding: br", url)
                    #expect(refused.hasSuffix(" 415 refused"), "\(version)")
                }
                let stream = await curl(version, "-N", url + "stream")
                #expect(stream.hasSuffix(" 200 " + (0..<50).map { "data: \($0)\n\n" }.joined()))
            }
        }
    }

    @Test func negotiatesOverTLSAndReloads() async throws {
        let directory = temporary("tls")
        let other = temporary("tls")
        defer { try? FileManager.default.removeItem(atPath: directory) }
        defer { try? FileManager.default.removeItem(atPath: other) }
        let files = try SelfSignedCertificate.files(in: directory)
        let old = other + "-old.pem"
        defer { try? FileManager.default.removeItem(atPath: old) }
        try FileManager.default.copyItem(atPath: files.certificateChainPath, toPath: old)
        let context = try TLSServerContext(files)
        try await withServer(tls: context) { port in
            let url = "https://localhost:\(port)/x"
            let local = ["--resolve", "localhost:\(port):127.0.0.1", url]
            #expect(await curl(["-k", "--http2"] + local) == "2 200 GET /x https h2 ")
            #expect(await curl(["-k", "--http1.1"] + local) == "1.1 200 GET /x https h1 ")
            #expect(await curl(["-k", "--no-alpn"] + local) == "1.1 200 GET /x https h1 ")
            #expect(await curl(["--cacert", old] + local) == "2 200 GET /x https h2 ")
            #expect(await curl(["-k", "--tls-max", "1.1"] + local) == "0 000 ")
            #expect(
                await curl(["-k", "--tls-max", "1.2", "--http1.1"] + local)
                    == "1.1 200 GET /x https h1 ")

            let fresh = try SelfSignedCertificate.files(in: other)
            for (from, to) in [
                (fresh.certificateChainPath, files.certificateChainPath),
                (fresh.privateKeyPath, files.privateKeyPath),
            ] {
                try FileManager.default.removeItem(atPath: to)
                try FileManager.default.copyItem(atPath: from, toPath: to)
            }
            try context.reload()
            #expect(await curl(["--cacert", old] + local) == "0 000 ")
            #expect(
                await curl(["--cacert", files.certificateChainPath] + local)
                    == "2 200 GET /x https h2 ")
        }
    }

    @Test func aFullServerAnswers503() async throws {
        var limits = HTTPLimits()
        limits.connections = 0
        try await withServer(limits: limits) { port in
            #expect(await curl("http://127.0.0.1:\(port)/") == "1.1 503 refused")
            #expect(
                await curl("--http2-prior-knowledge", "http://127.0.0.1:\(port)/").hasPrefix(
                    "0 000"))
        }
    }

    @Test func drainFinishesWhatRuns() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let service = CurlService()
        let server = try await HTTPServer.start(
            configuration: HTTPServerConfiguration(endpoint: .tcp(host: "127.0.0.1", port: 0)),
            group: group, service: service, logger: Logger(label: "test"))
        let port = try #require(server.localAddress?.port)
        async let answer = curl("http://127.0.0.1:\(port)/hold")
        let held = await service.held()
        async let drained: Void = server.drain(deadline: .now() + .seconds(20))
        held.eventLoop.execute { held.release() }
        #expect(await answer == "1.1 200 held")
        await drained
        #expect(server.connectionCount == 0)
        try await group.shutdownGracefully()
    }

    /// Tells when a client has gone: the stream's receiver hears of it at once.
    @Test func aClientThatLeavesMidStreamIsNoticed() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let service = CurlService()
        let server = try await HTTPServer.start(
            configuration: HTTPServerConfiguration(endpoint: .tcp(host: "127.0.0.1", port: 0)),
            group: group, service: service, logger: Logger(label: "test"))
        let port = try #require(server.localAddress?.port)
        for version in ["--http1.1", "--http2-prior-knowledge"] {
            // curl gives up by itself; nothing is ever answered.
            #expect(
                await curl([version, "-m", "1", "http://127.0.0.1:\(port)/hold"]).contains("000"))
            let error = await service.held().end()
            #expect(error == .connectionClosed || error == .reset(code: 8))
        }
        await server.close()
        try await group.shutdownGracefully()
    }
}

// MARK: The server

private func withServer(
    limits: HTTPLimits = HTTPLimits(), tls: TLSServerContext? = nil,
    _ body: (Int) async throws -> Void
) async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    var configuration = HTTPServerConfiguration(
        endpoint: .tcp(host: "127.0.0.1", port: 0), limits: limits)
    configuration.tls = tls
    configuration.refusal = { _, _ in
        (["content-type": "text/plain"], ByteBuffer(string: "refused"))
    }
    let server = try await HTTPServer.start(
        configuration: configuration, group: group, service: CurlService(),
        logger: Logger(label: "test"))
    let port = try #require(server.localAddress?.port)
    do {
        try await body(port)
    } catch {
        Issue.record(error)
    }
    await server.close()
    try await group.shutdownGracefully()
}

/// `/stream`: fifty events, a loop turn each; `/hold`: answers when told; else an echo.
private final class CurlService: HTTPService {
    private let holds: AsyncStream<HeldExchange>
    private let hold: AsyncStream<HeldExchange>.Continuation

    init() {
        (holds, hold) = AsyncStream.makeStream(of: HeldExchange.self)
    }

    func held() async -> HeldExchange {
        for await exchange in holds { return exchange }
        fatalError("the stream of held exchanges never ends")
    }

    func accept(
        _ head: HTTPRequestHead, _ stream: HTTPServerStream
    ) -> any HTTPServerStreamReceiver {
        if head.path == "/hold" {
            let exchange = HeldExchange(stream)
            hold.yield(exchange)
            return exchange
        }
        return CurlExchange(head, stream)
    }
}

/// Used on its loop, but for `end`.
private final class HeldExchange: HTTPServerStreamReceiver, @unchecked Sendable {
    let eventLoop: any EventLoop
    private let stream: HTTPServerStream
    private let ended: EventLoopPromise<HTTPStreamError?>

    init(_ stream: HTTPServerStream) {
        self.stream = stream
        eventLoop = stream.eventLoop
        ended = stream.eventLoop.makePromise()
    }

    func release() {
        stream.send(
            HTTPResponseHead(status: 200, fields: ["content-length": "4"]), end: false)
        stream.send(ByteBuffer(string: "held"), end: true)
    }

    func end() async -> HTTPStreamError? { try? await ended.futureResult.get() }

    func received(_ bytes: ByteBuffer) {}
    func receivedEnd(trailers: HTTPFields?) {}
    func closed(_ error: HTTPStreamError?) { ended.succeed(error) }
}

private final class CurlExchange: HTTPServerStreamReceiver {
    private let head: HTTPRequestHead
    private let stream: HTTPServerStream
    private var body = ByteBuffer()
    private var isClosed = false

    init(_ head: HTTPRequestHead, _ stream: HTTPServerStream) {
        self.head = head
        self.stream = stream
    }

    func received(_ bytes: ByteBuffer) {
        stream.consume(bytes.readableBytes)
        body.writeImmutableBuffer(bytes)
    }

    func receivedEnd(trailers: HTTPFields?) {
        if head.path == "/stream" {
            stream.send(
                HTTPResponseHead(status: 200, fields: ["content-type": "text/event-stream"]),
                end: false)
            sendEvent(0)
            return
        }
        var answer = ByteBuffer(
            string: "\(head.method) \(head.path) \(head.scheme) \(stream.isHTTP2 ? "h2" : "h1") ")
        answer.writeBuffer(&body)
        stream.send(
            HTTPResponseHead(
                status: 200, fields: ["content-length": "\(answer.readableBytes)"]), end: false)
        stream.send(answer, end: true)
    }

    private func sendEvent(_ index: Int) {
        guard !isClosed else { return }
        stream.send(ByteBuffer(string: "data: \(index)\n\n"), end: index == 49)
        if index < 49 {
            stream.eventLoop.assumeIsolated().execute { self.sendEvent(index + 1) }
        }
    }

    func closed(_ error: HTTPStreamError?) { isClosed = true }
}

// MARK: The client

private func temporary(_ name: String) -> String {
    FileManager.default.temporaryDirectory.path + "/switchyard-\(name)-\(UUID().uuidString)"
}

/// "VERSION STATUS BODY" of each URL in turn.
private func curl(_ arguments: String...) async -> String { await curl(arguments) }

private func curl(_ arguments: [String]) async -> String {
    let file = temporary("curl")
    defer { try? FileManager.default.removeItem(atPath: file) }
    // The status is known only after the body: the body waits in a file, and -w comes first.
    let urls = arguments.filter { $0.hasPrefix("http") }.count
    guard urls == 1 else {
        var all = ""
        let options = arguments.filter { !$0.hasPrefix("http") }
        for url in arguments where url.hasPrefix("http") { all += await curl(options + [url]) }
        return all
    }
    let status = await run(
        "curl",
        ["-s", "-m", "20", "-o", file, "-w", "%{http_version} %{http_code} "] + arguments)
    let body = FileManager.default.contents(atPath: file) ?? Data()
    return status + String(decoding: body, as: UTF8.self)
}

private func run(_ command: String, _ arguments: [String]) async -> String {
    await withCheckedContinuation { done in
        DispatchQueue.global().async {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments = [command] + arguments
            let output = Pipe()
            process.standardOutput = output
            process.standardError = FileHandle.nullDevice
            do {
                try process.run()
            } catch {
                done.resume(returning: "\(error)")
                return
            }
            let said = output.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            done.resume(returning: String(decoding: said, as: UTF8.self))
        }
    }
}
