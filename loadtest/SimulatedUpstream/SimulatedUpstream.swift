import Foundation
package import NIOCore
import NIOHTTP1
import NIOPosix

/// A server of OpenAI's chat completions over HTTP/1.1 whose answers are rendered beforehand, so
/// that what stands in front of it can be measured.
package final class SimulatedUpstream: Sendable {
    private let group: MultiThreadedEventLoopGroup
    private let channel: any Channel

    private init(_ group: MultiThreadedEventLoopGroup, _ channel: any Channel) {
        self.group = group
        self.channel = channel
    }

    /// Listens; throws `UpstreamConfigurationError`, and when the address cannot be had.
    package static func start(
        _ configuration: UpstreamConfiguration
    ) async throws -> SimulatedUpstream {
        try configuration.check()
        let counters = UpstreamCounters()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: configuration.threads)
        var timers: [ObjectIdentifier: NIOLoopBoundBox<StepTimer?>] = [:]
        for loop in group.makeIterator() {
            timers[ObjectIdentifier(loop)] = .makeEmptyBox(
                valueType: StepTimer.self, eventLoop: loop)
        }
        let answers = RenderedAnswers(
            model: configuration.model, created: Int(Date().timeIntervalSince1970))
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 8_192)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { [timers] channel in
                channel.eventLoop.makeCompletedFuture {
                    let loop = channel.eventLoop
                    guard let box = timers[ObjectIdentifier(loop)] else { return }
                    let timer = box.value ?? StepTimer(configuration, counters, on: loop)
                    box.value = timer
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(ByteToMessageHandler(HTTPRequestDecoder()))
                    try pipeline.addHandler(
                        UpstreamConnection(configuration, answers, timer))
                }
            }
        do {
            let channel = try await bootstrap.bind(
                host: configuration.host, port: configuration.port
            ).get()
            return SimulatedUpstream(group, channel)
        } catch {
            try await group.shutdownGracefully()
            throw error
        }
    }

    package var address: SocketAddress? { channel.localAddress }

    /// Returns when the server has been closed.
    package func run() async throws { try await channel.closeFuture.get() }

    package func close() async throws {
        try await channel.close()
        try await group.shutdownGracefully()
    }
}
