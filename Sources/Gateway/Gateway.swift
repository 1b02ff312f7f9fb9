internal import GRPC
internal import HTTPTransport
internal import InferenceAPI
package import Logging
internal import Metrics
internal import NIOCore
internal import NIOPosix

/// A running gateway: clients' ports, the admin port, the dispatchers and the worker processes that
/// it supervises. Started and stopped from the control path.
package final class Gateway: Sendable {
    private let core: GatewayCore
    private let connectionLoops: [ConnectionLoopHandle]
    private let dispatchLoop: any EventLoop
    private let directory: PoolDirectory
    private let servers: [HTTPServer]
    private let adminServer: HTTPServer
    /// Of `grpc.health.v1` on the clients' ports.
    private let health: GRPCHealthService
    private let groups: [MultiThreadedEventLoopGroup]
    private let preparationPool: NIOThreadPool
    private let reloading: Reloading
    private let durable: DurableState?
    /// Runs what was accepted; ends with `stop`.
    private let jobs: Task<Void, Never>?
    /// Of the admin loop.
    private let exporter: NIOLoopBound<OTLPExporter>?

    /// Where clients connect without TLS.
    package let port: Int
    package let tlsPort: Int?
    package let adminPort: Int
    /// What clients can ask for first.
    package let modelName: String

    /// How late `grpc.health.v1` may be, besides draining, which it tells at once.
    private static let healthInterval: TimeAmount = .milliseconds(100)

    /// Opens the models' vocabularies and all ports. Workers come up afterwards; `/readyz` says
    /// when.
    ///
    /// - Parameter source: reads the configuration anew, for a reload.
    package static func start(
        _ configuration: GatewayConfiguration,
        source: @escaping @Sendable () throws -> GatewayConfiguration, logger: Logger
    ) async throws -> Gateway {
        let pool = NIOThreadPool(numberOfThreads: configuration.preparationThreads)
        pool.start()
        let status = FleetStatus()
        let accessLog = try configuration.accessLogPath.map { path throws(AccessLog.CannotOpen) in
            try AccessLog(path: path, logger: logger)
        }
        let serving = ServingBox(
            ServingState(
                configuration: configuration, tenants: TenantDirectory(),
                catalogue: Catalogue(models: [], splits: [], pools: [:])))
        let durable = try configuration.stateDirectory.map { directory in
            try DurableState(directory: directory, configuration, logger: logger)
        }
        let tracer = configuration.tracing.map {
            Tracer(queue: SpanQueue(), sampleRatio: $0.sampleRatio)
        }
        let levels = ServiceLevels()
        let core = GatewayCore(
            serving: serving,
            preparation: ChatPreparation(
                serving: serving, pool: pool, storage: durable?.access.storage),
            metrics: GatewayMetrics(
                status: status, levels: levels, accessLog: accessLog, spans: tracer?.queue),
            status: status, serviceLevels: levels, accessLog: accessLog, storage: durable?.access,
            tracer: tracer, meter: durable?.meter, logger: logger)
        return try await Gateway(core: core, pool: pool, durable, configuration, source)
    }

    private init(
        core: GatewayCore, pool: NIOThreadPool, _ durable: DurableState?,
        _ configuration: GatewayConfiguration,
        _ source: @escaping @Sendable () throws -> GatewayConfiguration
    ) async throws {
        let clientGroup = MultiThreadedEventLoopGroup(
            numberOfThreads: configuration.connectionLoops)
        let controlGroup = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let adminGroup = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loops = clientGroup.makeIterator().map { ConnectionLoopHandle(eventLoop: $0) }
        for (index, handle) in loops.enumerated() {
            try await handle.eventLoop.submit {
                handle.install(
                    ConnectionLoop(index: index, eventLoop: handle.eventLoop, core: core))
            }.get()
        }
        let dispatchLoop = controlGroup.next()
        let commons = try await dispatchLoop.submit {
            NIOLoopBound(
                DispatcherCommons(leaseTokens: configuration.metering.leaseTokens),
                eventLoop: dispatchLoop)
        }.get()
        try await core.meter?.start { totals, tickets in
            dispatchLoop.execute {
                for total in totals {
                    commons.value.budgets.spent(
                        tenant: total.tenant, keyID: total.keyID, tokens: total.tokens,
                        ticks: total.ticks)
                }
                for ticket in tickets { commons.value.budgets.close(ticket) }
            }
        }
        let directory = PoolDirectory(
            core: core, configuration: configuration, loops: loops, dispatchLoop: dispatchLoop,
            commons: commons)
        try await directory.apply(configuration)

        let health = GRPCHealthService(statuses: [:])
        let service = GatewayService(core: core, loops: loops, health: health)
        let plain = try await HTTPServer.start(
            configuration: Self.server(configuration, port: configuration.port, tls: nil),
            group: clientGroup, service: service, logger: core.logger)
        var servers = [plain]
        var tlsPort: Int?
        let context = try configuration.tls.map { tls throws(TLSError) in
            try TLSServerContext(tls.files)
        }
        if let tls = configuration.tls {
            let secure = try await HTTPServer.start(
                configuration: Self.server(configuration, port: tls.port, tls: context),
                group: clientGroup, service: service, logger: core.logger)
            servers.append(secure)
            tlsPort = secure.localAddress?.port
        }
        let reloading = Reloading(
            source: source, directory: directory, tls: context, core: core)
        let admin = try await HTTPServer.start(
            configuration: HTTPServerConfiguration(
                endpoint: .tcp(host: configuration.adminHost, port: configuration.adminPort)),
            group: adminGroup,
            service: try Self.adminService(core, configuration, directory, reloading),
            logger: core.logger)

        // Readiness is a sum of what dispatchers publish, so it is looked at, not told.
        let status = core.status
        adminGroup.next().scheduleRepeatedTask(initialDelay: .zero, delay: Self.healthInterval) {
            _ in
            for name in GRPCMethods.healthServices {
                health.set(status.isReady ? .serving : .notServing, for: name)
            }
        }
        if let accessLog = core.accessLog {
            adminGroup.next().scheduleRepeatedTask(
                initialDelay: AccessLog.interval, delay: AccessLog.interval
            ) { _ in accessLog.flush() }
        }
        if let meter = core.meter {
            adminGroup.next().scheduleRepeatedTask(
                initialDelay: .zero,
                delay: .milliseconds(Int64(configuration.metering.intervalMilliseconds))
            ) { _ in meter.workSoon() }
        }
        exporter = try await Self.exporter(core, configuration, on: adminGroup.next())
        self.core = core
        self.connectionLoops = loops
        self.dispatchLoop = dispatchLoop
        self.directory = directory
        self.servers = servers
        self.adminServer = admin
        self.health = health
        self.groups = [clientGroup, controlGroup, adminGroup]
        self.preparationPool = pool
        self.reloading = reloading
        self.durable = durable
        let runner = durable?.start(core: core, loops: loops)
        jobs = runner.map { runner in Task { await runner.run() } }
        self.port = plain.localAddress?.port ?? configuration.port
        self.tlsPort = tlsPort
        self.adminPort = admin.localAddress?.port ?? configuration.adminPort
        self.modelName = configuration.models.first?.name ?? ""
    }

    /// Keeps the supervised workers running until `stop`. When those of a pool cannot start at all,
    /// its error is thrown.
    package func superviseWorkers() async throws {
        try await directory.run()
    }

    /// Reads the configuration anew and puts it in force; when it is unusable the old one stays,
    /// which is logged and counted.
    package func reload() async {
        // Logged by itself.
        try? await reloading.reload()
    }

    /// A token can be generated.
    package var isReady: Bool { core.status.isReady }

    /// Drains, then stops everything: readiness goes to 503, no connection is accepted, GOAWAY is
    /// sent, running streams go on until the drain time is over and then end with an error event;
    /// workers end last.
    package func stop() async {
        core.status.drain()
        // Open watches would hold up the drain.
        health.close()
        durable?.stop()
        await directory.drain()
        let seconds = core.serving.current.configuration.drainSeconds
        let deadline = NIODeadline.now() + .seconds(Int64(seconds))
        core.logger.notice("draining", metadata: ["seconds": "\(seconds)"])
        await drainServers(deadline: deadline)
        // Jobs have no client to wait for: those that still run begin anew after the next start.
        endAll()
        await jobs?.value
        // Whatever uses the loops ends before they do: supervisors, preparations that outlived
        // their clients, links; and what all these told the dispatchers, which tell the
        // connection loops, is done before those end.
        await directory.stop()
        try? await preparationPool.shutdownGracefully()
        do {
            try await durable?.close()
        } catch {
            core.logger.error("the state was not closed", metadata: ["reason": "\(error)"])
        }
        await closeLinks()
        // Fails only on a loop that has ended, where nothing is left to be done.
        try? await dispatchLoop.submit {}.get()
        await drainExporter()
        await adminServer.close()
        for group in groups { try? await group.shutdownGracefully() }
        core.accessLog?.flush()
    }

    private static func adminService(
        _ core: GatewayCore, _ configuration: GatewayConfiguration, _ directory: PoolDirectory,
        _ reloading: Reloading
    ) throws -> AdminService {
        let metrics = core.metrics
        return AdminService(
            serving: core.serving, status: core.status,
            metrics: { ByteBuffer(string: PrometheusText.render(metrics.registry)) },
            access: AdminAccess(
                keys: try configuration.adminTokenFile.map { path throws(APIKeys.LoadError) in
                    try APIKeys(path: path)
                },
                isLoopback: configuration.adminIsLoopback),
            control: AdminControl(
                directory: directory, core: core, reload: { try await reloading.reload() }))
    }

    /// Starts it.
    private static func exporter(
        _ core: GatewayCore, _ configuration: GatewayConfiguration, on loop: any EventLoop
    ) async throws -> NIOLoopBound<OTLPExporter>? {
        guard let settings = configuration.tracing, let queue = core.tracer?.queue else {
            return nil
        }
        let logger = core.logger
        return try await loop.submit {
            let exporter = NIOLoopBound(
                try OTLPExporter(
                    settings, queue: queue, instanceID: RequestIDs().next(), on: loop,
                    logger: logger), eventLoop: loop)
            loop.scheduleRepeatedTask(
                initialDelay: OTLPExporter.interval, delay: OTLPExporter.interval
            ) { _ in exporter.value.tick() }
            return exporter
        }.get()
    }

    /// The last spans are sent, as far as there is time.
    private func drainExporter() async {
        guard let exporter else { return }
        let loop = exporter.eventLoop
        let done = loop.makePromise(of: Void.self)
        loop.execute { exporter.value.drain { done.succeed() } }
        // It is never failed.
        try? await done.futureResult.get()
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
                self.endAll()
            }
            await group.waitForAll()
            end.cancel()
        }
    }

    private func endAll() {
        for loop in connectionLoops {
            loop.perform { $0.endAll(APIError(.draining, "The gateway is shutting down.")) }
        }
    }

    private func closeLinks() async {
        for loop in connectionLoops {
            try? await loop.eventLoop.submit { loop.onLoop?.closeLinks() }.get()
        }
    }

    /// Of a form around a file: boundaries, header fields, other fields.
    private static let formOverheadBytes = 1 << 20

    private static func server(
        _ configuration: GatewayConfiguration, port: Int, tls: TLSServerContext?
    ) -> HTTPServerConfiguration {
        var server = HTTPServerConfiguration(
            endpoint: .tcp(host: configuration.host, port: port), limits: configuration.transport)
        // Exchanges have limits of their own; a gRPC message as long as that has its prefix too,
        // and an upload its form.
        server.limits.bodyBytes = max(
            configuration.limits.bodyLimitBytes + GRPCFrameDecoder.prefixBytes,
            configuration.storage.fileBytes + Self.formOverheadBytes)
        server.tls = tls
        let refusal = TransportRefusal()
        server.refusal = { refusal.body($0, path: $1) }
        return server
    }
}
