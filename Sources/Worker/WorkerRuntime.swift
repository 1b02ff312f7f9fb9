import EngineProtocol
import GRPC
import HTTPTransport
import InferenceTypes
package import Logging
import NIOCore
import NIOPosix
import Scheduling
import Synchronization

/// A running worker: engine thread, event loops, listener. The program makes one; tests make as
/// many as they like.
///
/// Control path: its methods are called from async code and may be called at any time and again.
package final class WorkerRuntime: Sendable {
    /// Where it listens, with the port that the system chose.
    package let listenAddress: WorkerListenAddress
    package let modelName: String
    package let slots: Int
    package let metrics: WorkerMetrics
    /// Nil when no metrics were asked for.
    package let metricsAddress: WorkerListenAddress?

    private let configuration: WorkerConfiguration
    private let logger: Logger
    private let group: MultiThreadedEventLoopGroup
    private let server: HTTPServer
    private let service: WorkerService
    private let health: GRPCHealthService
    private let mailbox: EngineMailbox
    private let engine: EngineThread
    private let access: LinkAccess
    private let metricsServer: MetricsServer?
    private let ending = OneTime<Void>()
    /// Ends running calls at once, while a drain waits for them.
    private let cut = Mutex<Cut?>(nil)

    private struct Cut {
        let now: @Sendable () -> Void
    }

    /// Starts everything and returns when a token can be generated.
    package static func start(
        _ configuration: WorkerConfiguration, logger: Logger
    ) async throws(WorkerError) -> WorkerRuntime {
        try configuration.validate()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: configuration.ioThreads)
        do {
            return try await WorkerRuntime(configuration, group: group, logger: logger)
        } catch {
            // The group has no channels; nothing is lost when it cannot be shut down.
            try? await group.shutdownGracefully()
            throw error
        }
    }

    private init(
        _ configuration: WorkerConfiguration, group: MultiThreadedEventLoopGroup, logger: Logger
    ) async throws(WorkerError) {
        let access = try LinkAccess(configuration)
        let loops = Array(group.makeIterator())
        let now: @Sendable () -> Instant = {
            Instant(nanoseconds: Int64(NIODeadline.now().uptimeNanoseconds))
        }
        // Submissions beyond the waiting queue and the slots would be refused one step later.
        let mailbox = EngineMailbox(
            submissionsMax: configuration.waitingRequestsMax + 256,
            batchesMax: configuration.outputBatchesMax, loops: loops.count)
        let metrics = WorkerMetrics { mailbox.report }
        let tables = await LoopTables(loops: loops) { loop in
            CallTable(loop: loop, mailbox: mailbox, metrics: metrics)
        }
        let ports = loops.indices.map { loop in
            StepOutputPort { output in
                tables.execute(on: loop) { table in
                    table.apply(output)
                    mailbox.acknowledge(loop: loop)
                }
            }
        }
        let wiring = EngineThread.Wiring(
            mailbox: mailbox, ports: ports, metrics: metrics, cacheLog: CacheLog(),
            journal: try configuration.journal.map { journal throws(WorkerError) in
                try JournalFiles(
                    path: journal.path, fileBytesMax: journal.fileBytes,
                    filesMax: journal.files)
            }, now: now)
        let engine = try await Self.startEngine(configuration, wiring)
        let service = WorkerService(
            tables: tables, wiring: wiring, engine: engine.description,
            configuration: configuration, logger: logger)
        await service.startReporting(configuration, log: wiring.cacheLog)
        let health = GRPCHealthService(statuses: [
            "": .serving, "vllm.grpc.engine.VllmEngine": .serving,
        ])
        let server: HTTPServer
        do throws(WorkerError) {
            server = try await Self.listen(
                configuration, access, service, health, group, logger)
        } catch {
            mailbox.post(.stop)
            await engine.join()
            throw error
        }
        let metricsServer: MetricsServer?
        do throws(WorkerError) {
            metricsServer = try await MetricsServer.start(
                configuration.metricsListen, metrics.registry, logger: logger)
        } catch {
            await server.close()
            mailbox.post(.stop)
            await engine.join()
            throw error
        }
        self.configuration = configuration
        self.logger = logger
        self.group = group
        self.server = server
        self.service = service
        self.health = health
        self.mailbox = mailbox
        self.metrics = metrics
        self.engine = engine
        self.access = access
        self.metricsServer = metricsServer
        metricsAddress = metricsServer?.address
        listenAddress = configuration.listen.bound(to: server.localAddress)
        modelName = engine.description.model.name
        slots = engine.description.scheduling.slots
        logger.info(
            "worker is ready",
            metadata: [
                "listen": "\(listenAddress)", "model": "\(modelName)", "slots": "\(slots)",
                "device": "\(engine.description.model.device)",
                "kv_cells": "\(engine.description.properties.cacheCells)",
            ])
        watchEngine()
    }

    /// Reads certificates, keys and tokens again: new connections and calls are held to them, what
    /// runs goes on. On an error everything stays as it was.
    package func reload() throws(WorkerError) {
        try access.reload()
        logger.notice(
            "certificates and tokens read again",
            metadata: [
                "tls": "\(configuration.tls?.files.certificateChainPath ?? "none")",
                "tokens": "\(configuration.tokenPath ?? "none")",
            ])
    }

    // MARK: The end

    /// Stops admitting and lets running requests finish; those that run still after
    /// `drainSeconds` end with UNAVAILABLE. Returns when the worker has ended.
    package func drain() async {
        await end(
            GRPCStatus(.unavailable, "the worker is draining"),
            patience: .nanoseconds(Int64(configuration.drainSeconds * 1e9)))
    }

    /// Ends running requests with UNAVAILABLE and returns when the worker has ended.
    package func shutdown() async {
        await end(GRPCStatus(.unavailable, "the worker is shutting down"), patience: .zero)
    }

    /// Returns when the worker was drained or shut down; throws when the engine broke.
    package func waitForEnd() async throws(WorkerError) {
        let result = await engine.ended.wait()
        await ending.wait()
        if case .failure(let error) = result { throw error }
    }

    /// When the engine breaks the worker ends: its clients are told, then everything stops, and
    /// the supervisor starts another.
    private func watchEngine() {
        Task {
            guard case .failure(let error) = await engine.ended.wait() else { return }
            logger.critical("the engine failed", metadata: ["error": "\(error)"])
            service.enter(.failed)
            await end(GRPCStatus(.internalError, "\(error)"), patience: .zero)
        }
    }

    private func end(_ status: GRPCStatus, patience: TimeAmount) async {
        guard ending.begin() else {
            // A drain is under way. A second caller with less patience ends its requests.
            if patience == .zero { cut.withLock { $0?.now() } }
            return await ending.wait()
        }
        let deadline = NIODeadline.now() + patience
        let cutNow: @Sendable () -> Void = { [service] in
            service.tables.forEach { $0.failAll(status) }
        }
        cut.withLock { $0 = Cut(now: cutNow) }
        service.enterUnlessFailed(.draining)
        service.tables.forEach { $0.refuse(with: status) }
        health.close()
        service.endReports(status)
        if patience == .zero { cutNow() }
        let timer = service.tables.first.scheduleTask(deadline: deadline) { cutNow() }
        // Calls get their status at the deadline; connections have a moment to deliver it.
        await server.drain(deadline: deadline + Self.deliveryTime)
        timer.cancel()
        cut.withLock { $0 = nil }
        await server.close()
        await metricsServer?.close()
        mailbox.post(.stop)
        await engine.join()
        // What was put on the loops before must be done before they end.
        await service.tables.settle()
        await service.tokenizerSource.settle()
        do {
            try await group.shutdownGracefully()
        } catch {
            logger.error("event loops did not end", metadata: ["error": "\(error)"])
        }
        ending.finish(())
    }

    /// How long a connection may take to deliver the last statuses.
    private static let deliveryTime = TimeAmount.seconds(1)

    // MARK: What it says about itself

    /// One line of JSON for whoever started the process.
    package var readyLine: String {
        """
        {"ready":true,"listen":"\(JSONText.escaped(listenAddress.description))",\
        "model":"\(JSONText.escaped(modelName))","slots":\(slots),\
        "context":\(engine.description.properties.requestTokensMax)\
        \(metricsAddress.map { ",\"metrics\":\"\(JSONText.escaped($0.description))\"" } ?? "")}
        """
    }

    /// Counters as one line of JSON.
    package var statisticsLine: String {
        let report = mailbox.report
        let time = report.time
        let busy = Double(max(1, time.busyNanoseconds))
        return """
            {"steps":\(report.load.steps),"generated_tokens":\(report.load.generatedTokens),\
            "prefilled_tokens":\(report.load.prefilledTokens),\
            "finished":\(report.load.finishedRequests),\
            "cancelled":\(report.load.cancelledRequests),"failed":\(report.load.failedRequests),\
            "preemptions":\(report.load.preemptions),\
            "busy_seconds":\(Double(time.busyNanoseconds) / 1e9),\
            "execute_seconds":\(Double(time.executeNanoseconds) / 1e9),\
            "decode_seconds":\(Double(time.decodeNanoseconds) / 1e9),\
            "output_wait_seconds":\(Double(time.outputWaitNanoseconds) / 1e9),\
            "decode_fraction":\(Double(time.decodeNanoseconds) / busy)}
            """
    }

    /// Running and waiting requests as of the latest step.
    package var load: (running: Int, waiting: Int) {
        let load = mailbox.report.load
        return (load.running, load.waiting)
    }

    /// Where the engine thread's time went.
    package var engineTime: EngineTime { mailbox.report.time }

    // MARK: Starting

    private static func startEngine(
        _ configuration: WorkerConfiguration, _ wiring: EngineThread.Wiring
    ) async throws(WorkerError) -> EngineThread {
        switch configuration.engine {
        case .llama(let settings):
            return try await EngineThread.start(wiring: wiring) {
                () throws(WorkerError) in
                try EngineThread.Setup.llama(settings, configuration)
            }
        case .simulated(let settings):
            return try await EngineThread.start(wiring: wiring) {
                () throws(WorkerError) in
                try EngineThread.Setup.simulated(settings, configuration, now: wiring.now)
            }
        }
    }

    private static func listen(
        _ configuration: WorkerConfiguration, _ access: LinkAccess, _ service: WorkerService,
        _ health: GRPCHealthService, _ group: MultiThreadedEventLoopGroup, _ logger: Logger
    ) async throws(WorkerError) -> HTTPServer {
        var router = GRPCRouter(authorize: { [tokens = access.tokens] in tokens?.refusal($0) })
        EngineServer.register(
            service, limits: EngineRequestLimits(choices: configuration.choicesMax), in: &router)
        health.register(in: &router)
        var limits = HTTPLimits.trusted
        limits.outputHighWatermarkBytes = configuration.outputHighWatermarkBytes
        limits.outputLowWatermarkBytes = configuration.outputHighWatermarkBytes / 4
        var http = HTTPServerConfiguration(endpoint: configuration.listen.endpoint, limits: limits)
        http.tls = access.tls
        do {
            return try await HTTPServer.start(
                configuration: http, group: group, service: router, logger: logger)
        } catch {
            throw .listen(address: configuration.listen.description, reason: "\(error)")
        }
    }
}
