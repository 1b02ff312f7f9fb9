internal import EngineProtocol
internal import Foundation
internal import HTTPTransport
internal import InferenceAPI
internal import InferenceTypes
package import Logging
internal import Metrics
internal import NIOCore
internal import NIOPosix
internal import Routing

/// A running gateway: clients' ports, the admin port, the dispatcher and the worker processes it
/// supervises. Started and stopped from the control path.
package final class Gateway: Sendable {
    private let core: GatewayCore
    private let connectionLoops: [ConnectionLoopHandle]
    private let dispatcher: DispatcherHandle
    private let servers: [HTTPServer]
    private let adminServer: HTTPServer
    /// Nil for a gateway that starts no workers.
    private let pool: SupervisedPool?
    private let groups: [MultiThreadedEventLoopGroup]
    private let preparationPool: NIOThreadPool
    private let logger: Logger

    /// Where clients connect without TLS.
    package let port: Int
    package let tlsPort: Int?
    package let adminPort: Int
    package var modelName: String { core.model.name }

    /// Opens the model's vocabulary and all ports. Workers come up afterwards; `/readyz` says when.
    package static func start(
        _ configuration: GatewayConfiguration, logger: Logger
    ) async throws -> Gateway {
        let keys = try configuration.apiKeyFile.map { path throws(APIKeys.LoadError) in
            try APIKeys(path: path)
        }
        let settings = configuration.models[0]
        let model = try ServedModel(
            path: settings.path ?? "", name: settings.name,
            aliases: settings.aliases, created: Int(Date().timeIntervalSince1970))
        let pool = NIOThreadPool(numberOfThreads: configuration.preparationThreads)
        pool.start()
        var requestLimits = ChatRequestLimits()
        requestLimits.choices = configuration.limits.choicesLimit
        let status = FleetStatus()
        let accessLog = try configuration.accessLogPath.map { path throws(AccessLog.CannotOpen) in
            try AccessLog(path: path, logger: logger)
        }
        let core = GatewayCore(
            configuration: configuration, model: model, keys: keys,
            preparation: ChatPreparation(model: model, limits: requestLimits, pool: pool),
            metrics: GatewayMetrics(status: status, accessLog: accessLog), status: status,
            accessLog: accessLog,
            engineConfiguration: Self.links(configuration), logger: logger)
        return try await Gateway(core: core, pool: pool, logger: logger)
    }

    private init(core: GatewayCore, pool: NIOThreadPool, logger: Logger) async throws {
        let configuration = core.configuration
        let clientGroup = MultiThreadedEventLoopGroup(
            numberOfThreads: configuration.connectionLoops)
        let controlGroup = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let adminGroup = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loops = clientGroup.makeIterator().map { ConnectionLoopHandle(eventLoop: $0) }
        let dispatchLoop = controlGroup.next()
        let dispatcher = DispatcherHandle(loop: dispatchLoop)
        try await dispatchLoop.submit {
            dispatcher.install(
                Dispatcher(
                    loop: dispatchLoop, loops: loops, admission: configuration.admission,
                    aheadLimitTickets: configuration.pools[0].aheadLimitTickets, policy: .leastLoad,
                    status: core.status, clock: MonotonicClock.now, logger: logger))
        }.get()
        for (index, handle) in loops.enumerated() {
            try await handle.eventLoop.submit {
                handle.install(
                    ConnectionLoop(
                        index: index, eventLoop: handle.eventLoop, core: core,
                        dispatcher: dispatcher))
            }.get()
        }

        let service = GatewayService(core: core, loops: loops)
        var servers: [HTTPServer] = []
        let plain = try await HTTPServer.start(
            configuration: Self.server(configuration, port: configuration.port, tls: nil),
            group: clientGroup, service: service, logger: logger)
        servers.append(plain)
        var tlsPort: Int?
        if let tls = configuration.tls {
            let secure = try await HTTPServer.start(
                configuration: Self.server(
                    configuration, port: tls.port, tls: TLSServerContext(tls.files)),
                group: clientGroup, service: service, logger: logger)
            servers.append(secure)
            tlsPort = secure.localAddress?.port
        }
        let workers = configuration.pools[0].supervised.map { supervised in
            SupervisedPool(
                commandLine: supervised.commandLine, count: supervised.count,
                dispatcher: dispatcher, logger: logger)
        }
        let admin = try await HTTPServer.start(
            configuration: HTTPServerConfiguration(
                endpoint: .tcp(host: configuration.adminHost, port: configuration.adminPort)),
            group: adminGroup,
            service: try Self.adminService(core, dispatcher: dispatcher, pool: workers),
            logger: logger)

        if let accessLog = core.accessLog {
            adminGroup.next().scheduleRepeatedTask(
                initialDelay: AccessLog.interval, delay: AccessLog.interval
            ) { _ in accessLog.flush() }
        }
        self.core = core
        self.connectionLoops = loops
        self.dispatcher = dispatcher
        self.servers = servers
        self.adminServer = admin
        self.groups = [clientGroup, controlGroup, adminGroup]
        self.preparationPool = pool
        self.logger = logger
        self.port = plain.localAddress?.port ?? configuration.port
        self.tlsPort = tlsPort
        self.adminPort = admin.localAddress?.port ?? configuration.adminPort
        self.pool = workers
        for worker in configuration.pools[0].workers {
            _ = try await dispatcher.ask { $0.addWorker(worker.endpoint) }
        }
    }

    /// Keeps the supervised workers running until `stop`. When one cannot start at all, the others
    /// are stopped and its error is thrown. Returns at once when there are none.
    package func superviseWorkers() async throws {
        try await pool?.run()
    }

    /// A token can be generated.
    package var isReady: Bool { core.status.isReady }

    /// Drains, then stops everything: readiness goes to 503, no connection is accepted, GOAWAY is
    /// sent, running streams go on until the drain time is over and then end with an error event;
    /// workers end last.
    package func stop() async {
        core.status.drain()
        dispatcher.perform { $0.drain() }
        let deadline = NIODeadline.now() + .seconds(Int64(core.configuration.drainSeconds))
        logger.notice(
            "draining", metadata: ["seconds": "\(core.configuration.drainSeconds)"])
        await drainServers(deadline: deadline)
        // Whatever uses the loops ends before they do: supervisors, preparations that outlived
        // their clients, links; and what all these told the dispatcher, which tells the
        // connection loops, is done before those end.
        await pool?.stop()
        try? await preparationPool.shutdownGracefully()
        await closeLinks()
        await dispatcher.settle()
        await adminServer.close()
        for group in groups { try? await group.shutdownGracefully() }
        core.accessLog?.flush()
    }

    private static func adminService(
        _ core: GatewayCore, dispatcher: DispatcherHandle, pool: SupervisedPool?
    ) throws -> AdminService {
        let configuration = core.configuration
        let metrics = core.metrics
        return AdminService(
            modelName: core.model.name, status: core.status,
            metrics: { ByteBuffer(string: PrometheusText.render(metrics.registry)) },
            access: AdminAccess(
                keys: try configuration.adminTokenFile.map { path throws(APIKeys.LoadError) in
                    try APIKeys(path: path)
                },
                isLoopback: configuration.adminIsLoopback),
            control: WorkerControl(
                dispatcher: dispatcher, pool: pool, drainSeconds: configuration.drainSeconds,
                logger: core.logger))
    }

    private func drainServers(deadline: NIODeadline) async {
        let loops = connectionLoops
        await withTaskGroup(of: Void.self) { group in
            for server in servers {
                group.addTask { await server.drain(deadline: deadline) }
            }
            // A little before the servers cut what is left, it is told why.
            let grace = TimeAmount.milliseconds(500)
            let end = loops[0].eventLoop.scheduleTask(deadline: deadline - grace) {
                for loop in loops {
                    loop.perform { $0.endAll(APIError(.draining, "The gateway is shutting down.")) }
                }
            }
            await group.waitForAll()
            end.cancel()
        }
    }

    private func closeLinks() async {
        for loop in connectionLoops {
            try? await loop.eventLoop.submit { loop.onLoop?.closeLinks() }.get()
        }
    }

    /// A quarter of the hang limit passes before a silent worker gets a PING.
    private static func links(
        _ configuration: GatewayConfiguration
    ) -> EngineConnectionConfiguration {
        var links = EngineConnectionConfiguration()
        let hang = configuration.workerHangNanoseconds
        links.transport.keepaliveInterval = .nanoseconds(hang / 4)
        links.transport.keepaliveTimeout = .nanoseconds(hang - hang / 4)
        links.transport.connectTimeout = .nanoseconds(hang)
        links.controlTimeoutNanoseconds = hang
        return links
    }

    private static func server(
        _ configuration: GatewayConfiguration, port: Int, tls: TLSServerContext?
    ) -> HTTPServerConfiguration {
        var server = HTTPServerConfiguration(
            endpoint: .tcp(host: configuration.host, port: port), limits: configuration.transport)
        server.limits.bodyBytes = configuration.limits.bodyLimitBytes
        server.tls = tls
        server.refusal = { refusal in TransportRefusal.body(refusal) }
        return server
    }
}
