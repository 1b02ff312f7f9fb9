import EngineProtocol
import Foundation
import GRPC
import HTTPTransport
import InferenceTypes
import NIOCore
import NIOPosix
import Testing

/// Our client and our server over real sockets.
@Suite(.timeLimit(.minutes(1)))
struct EngineEndToEndTests {
    static func withPair(
        calls: GRPCConfiguration = GRPCConfiguration(), server: GRPCConfiguration? = nil,
        limits: HTTPLimits = HTTPLimits(),
        _ body: (InteropServer, EngineClient) async throws -> Void
    ) async throws {
        let server = try await InteropServer.start(configuration: server, limits: limits)
        let client = try await EngineClient.connect(
            server.endpoint, configuration: EngineConnectionConfiguration(calls: calls))
        try await body(server, client)
        try await client.close()
        await server.server.close()
    }

    @Test func streamsOverAUnixSocket() async throws {
        let path = FileManager.default.temporaryDirectory
            .appendingPathComponent("engine-\(UInt32.random(in: 0...(.max))).sock").path
        let server = try await InteropServer.start(.unix(path: path))
        let client = try await EngineClient.connect(.unix(path: path))
        let got = await client.generate(EngineClient.request("echo", [7, 8, 9]))
        #expect(got.tokens == [7, 8, 9])
        #expect(got.chunks.map(\.completionTokens) == [1, 2, 3])
        #expect(got.finish?.usage == Usage(promptTokens: 3, completionTokens: 3))
        try await client.close()
        await server.server.close()
    }

    @Test func finishDetailsTravelInATrailer() async throws {
        try await Self.withPair { _, client in
            let request = EngineClient.request("metadata") {
                $0.tier = .priority
                $0.tenant = "Müller"
                $0.resumedTokens = 2
                $0.sampling.seed = .max
            }
            let got = await client.generate(
                request, metadata: EngineMetadata(deadlineMilliseconds: 1500, attempt: 3))
            #expect(got.finish?.reason == .contextFull)
        }
    }

    @Test func aCancelReachesTheService() async throws {
        try await Self.withPair { server, client in
            let got = await client.generate(EngineClient.request("hang-1"), cancelAfter: 1)
            #expect(got.failure?.code == .cancelled)
            let service = server.service
            try await eventually("the service hears of it") {
                service.seen.withLock { $0.cancelled.contains { $0.id == "hang-1" } }
            }
            #expect(service.seen.withLock { $0.cancelled.first?.code } == .cancelled)
        }
    }

    @Test func aLostConnectionCancelsItsRequests() async throws {
        try await Self.withPair { server, client in
            async let hanging = client.generate(EngineClient.request("hang-2"))
            let service = server.service
            try await eventually("the request arrives") {
                service.seen.withLock { !$0.requests.isEmpty }
            }
            try await client.close()
            #expect(await hanging.failure?.code == .unavailable)
            try await eventually("the service hears of it") {
                service.seen.withLock { $0.cancelled.contains { $0.id == "hang-2" } }
            }
        }
    }

    /// A client that sets `grpc-timeout` and then does nothing about it.
    @Test func theServerEnforcesTheDeadline() async throws {
        try await Self.withPair(server: GRPCConfiguration(maxCallNanoseconds: 50_000_000)) {
            server, client in
            let got = await client.generate(EngineClient.request("hang-3"))
            #expect(got.failure?.code == .deadlineExceeded)
            #expect(got.failure?.origin == .peer)
            #expect(
                server.service.seen.withLock { $0.cancelled.map(\.code) } == [.deadlineExceeded])
        }
    }

    @Test func aTimeoutThatPassedAlreadyFailsAtOnce() async throws {
        try await Self.withPair { _, client in
            let got = await client.generate(EngineClient.request("hang-4"), timeoutNanoseconds: 0)
            #expect(got.failure?.code == .deadlineExceeded)
        }
    }

    @Test func backPressureStopsTheProducer() async throws {
        try await Self.withPair { server, client in
            let stalled = try await client.generateStalled(EngineClient.request("flood"))
            let service = server.service
            try await eventually("the flood begins") {
                try await !stalled.generated().chunks.isEmpty
            }
            // Others are not held up; and were the flood not, it would end meanwhile.
            for _ in 0..<50 {
                let other = await client.generate(EngineClient.request("echo", [1, 2]))
                #expect(other.tokens == [1, 2])
            }
            let sent = try #require(service.floodSent("flood"))
            #expect(sent > 0 && sent < InteropService.floodTokens)
            try await stalled.goOn()
            try await eventually("the flood ends", seconds: 30) {
                try await stalled.generated().finish != nil
            }
            #expect(try await stalled.generated().tokens.count == InteropService.floodTokens)
        }
    }

    @Test func messagesOverTheLimitAreRefused() async throws {
        try await Self.withPair(server: GRPCConfiguration(maxMessageBytes: 1000)) { _, client in
            let prompt = Array(repeating: TokenID(1_000_000), count: 1000)
            let got = await client.generate(EngineClient.request("echo", prompt))
            #expect(got.failure?.code == .resourceExhausted)
            let next = await client.generate(EngineClient.request("echo", [1]))
            #expect(next.tokens == [1])
        }
    }

    @Test(arguments: GRPCEncoding.allCases)
    func requestsAreCompressed(_ encoding: GRPCEncoding) async throws {
        try await Self.withPair(calls: GRPCConfiguration(encoding: encoding)) { server, client in
            let prompt = Array(repeating: TokenID(55), count: 4000)
            let got = await client.generate(EngineClient.request("stop-token", prompt))
            #expect(got.tokens == prompt)
            #expect(
                server.service.seen.withLock { $0.requests.first?.generation.prompt } == prompt)
        }
    }

    @Test func aDrainingServerFinishesItsCalls() async throws {
        try await Self.withPair { server, client in
            let stalled = try await client.generateStalled(EngineClient.request("hang-5"))
            let service = server.service
            try await eventually("the request arrives") {
                service.seen.withLock { !$0.requests.isEmpty }
            }
            async let drained: Void = server.server.drain(deadline: .now() + .seconds(20))
            try await eventually("the client hears of it") {
                try await client.eventLoop.submit { !client.connection.value.isOpen }.get()
            }
            let refused = await client.generate(EngineClient.request("echo"))
            #expect(refused.failure?.isSafeToRetry == true)
            service.abort(["hang-5"], on: client.eventLoop)
            try await eventually("the call ends well") {
                try await stalled.generated().finish?.reason == .cancelled
            }
            await drained
        }
    }

    @Test func tenThousandCancelledCallsLeaveNothingBehind() async throws {
        var limits = HTTPLimits.trusted
        limits.concurrentStreams = 20_000
        try await Self.withPair(limits: limits) { server, client in
            for round in 0..<20 {
                await withTaskGroup(of: Void.self) { group in
                    for number in 0..<500 {
                        group.addTask {
                            _ = await client.generate(
                                EngineClient.request("hang-\(round)-\(number)"), cancelAfter: 1)
                        }
                    }
                }
            }
            let service = server.service
            try await eventually("all are cancelled", seconds: 30) {
                service.seen.withLock { $0.cancelled.count } == 10_000
            }
            #expect(service.serverInfo().activeRequests == 0)
            let count = try await client.eventLoop.submit { client.connection.value.callCount }
                .get()
            #expect(count == 0)
        }
    }
}
