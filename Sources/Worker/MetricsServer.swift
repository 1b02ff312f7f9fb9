import HTTPTransport
import Logging
import Metrics
import NIOCore
import NIOPosix

/// `GET /metrics` on a port and a thread of its own, so that load cannot starve it.
struct MetricsServer: Sendable {
    let address: WorkerListenAddress
    private let server: HTTPServer
    private let group: MultiThreadedEventLoopGroup

    /// Nil without an address.
    static func start(
        _ address: WorkerListenAddress?, _ registry: MetricsRegistry, logger: Logger
    ) async throws(WorkerError) -> MetricsServer? {
        guard let address else { return nil }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            let server = try await HTTPServer.start(
                configuration: HTTPServerConfiguration(endpoint: address.endpoint), group: group,
                service: MetricsService(registry: registry), logger: logger)
            return MetricsServer(
                address: address.bound(to: server.localAddress), server: server, group: group)
        } catch {
            // The group has no channels; nothing is lost when it cannot be shut down.
            try? await group.shutdownGracefully()
            throw .listen(address: address.description, reason: "\(error)")
        }
    }

    func close() async {
        await server.close()
        // Its one channel is closed; the process is about to end.
        try? await group.shutdownGracefully()
    }
}

/// Whatever is asked for, the metrics are the answer: the port has no other use.
private struct MetricsService: HTTPService {
    let registry: MetricsRegistry

    func accept(
        _ head: HTTPRequestHead, _ stream: HTTPServerStream
    ) -> any HTTPServerStreamReceiver {
        stream.send(
            HTTPResponseHead(status: 200, fields: ["content-type": PrometheusText.contentType]),
            end: false)
        stream.send(ByteBuffer(string: PrometheusText.render(registry)), end: true)
        return IgnoredBody(stream)
    }
}

/// Lets the body of a request run dry.
private final class IgnoredBody: HTTPServerStreamReceiver {
    private let stream: HTTPServerStream

    init(_ stream: HTTPServerStream) {
        self.stream = stream
    }

    func received(_ bytes: ByteBuffer) { stream.consume(bytes.readableBytes) }
    func receivedEnd(trailers: HTTPFields?) {}
    func closed(_ error: HTTPStreamError?) {}
    func writabilityChanged(_ isWritable: Bool) {}
}
