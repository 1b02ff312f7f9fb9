import Admission
import Foundation
import Logging
import NIOCore
import NIOPosix
import Testing

@testable import Gateway

/// Supervisors whose workers are shell scripts.
@Suite(.timeLimit(.minutes(1))) struct WorkerSupervisorTests {
    @Test func stopReturnsWhenTheWorkerHasExited() async throws {
        let trial = try await Trial(
            script: """
                trap 'sleep 0.3; exit 0' TERM
                echo '{"ready":true}'
                while :; do sleep 0.05; done
                """)
        async let run: Void = trial.supervisor.run()
        let process = try await trial.readyProcess()
        await trial.supervisor.stop()
        #expect(!isAlive(process))
        #expect(try await trial.workers() == 0)
        try await run
        #expect(await trial.supervisor.restarts == 0)
        await trial.end()
    }

    @Test func aWorkerThatIgnoresSIGTERMIsKilled() async throws {
        let trial = try await Trial(
            script: """
                trap '' TERM
                echo '{"ready":true}'
                while :; do sleep 0.05; done
                """, exitLimit: .milliseconds(100))
        async let run: Void = trial.supervisor.run()
        let process = try await trial.readyProcess()
        await trial.supervisor.stop()
        #expect(!isAlive(process))
        try await run
        await trial.end()
    }

    /// The delay is longer than the suite's time limit.
    @Test func stopEndsTheWaitBeforeARestart() async throws {
        let trial = try await Trial(script: "exit 1", backoffInitial: .seconds(3_600))
        async let run: Void = trial.supervisor.run()
        while await trial.supervisor.restarts == 0 { await Task.yield() }
        await trial.supervisor.stop()
        try await run
        #expect(await trial.supervisor.restarts == 1)
        await trial.end()
    }

    @Test func aSupervisorStoppedBeforeItRunsStartsNothing() async throws {
        let trial = try await Trial(script: "exit 1")
        await trial.supervisor.stop()
        try await trial.supervisor.run()
        #expect(await trial.supervisor.restarts == 0)
        await trial.end()
    }

    @Test func aWorkerThatCannotStartIsAnError() async throws {
        let trial = try await Trial(script: "exit 66")
        let error = await #expect(throws: WorkerSupervisor.CannotStart.self) {
            try await trial.supervisor.run()
        }
        #expect(error?.status == 66)
        // Nothing runs any more, so there is nothing to wait for.
        await trial.supervisor.stop()
        await trial.end()
    }

    private func isAlive(_ process: Int32) -> Bool { kill(process, 0) == 0 }
}

/// A supervisor with a worker and a dispatcher of its own.
private struct Trial {
    let supervisor: WorkerSupervisor
    private let dispatcher: DispatcherHandle
    private let status = FleetStatus()
    private let folder: String
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    init(
        script: String, backoffInitial: Duration = .milliseconds(1),
        exitLimit: Duration = .seconds(30)
    ) async throws {
        folder = NSTemporaryDirectory() + "sy-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        let program = folder + "/worker"
        try Data("#!/bin/sh\n\(script)\n".utf8).write(to: URL(fileURLWithPath: program))
        try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: program)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let (loop, status) = (group.next(), status)
        let dispatcher = DispatcherHandle(loop: loop)
        let model = try ServedModel(ModelSettings(name: "m", path: nil), created: 0)
        let pool = Pool(
            name: "p", number: 0, kind: .engine, model: model, dispatcher: dispatcher,
            credentials: WorkerLinkCredentials(.none), upstream: nil)
        dispatcher.install { [logger, status] in
            Dispatcher(
                pool: pool, loop: loop, loops: [], commons: DispatcherCommons(),
                admission: AdmissionConfiguration(), aheadLimitTickets: 0, policy: .leastLoad,
                decisionLimit: 16,
                status: status, clock: MonotonicClock.now, logger: logger)
        }
        self.dispatcher = dispatcher
        supervisor = WorkerSupervisor(
            index: 0,
            commandLine: WorkerCommandLine(
                executable: program, arguments: [], socketDirectory: folder),
            dispatcher: dispatcher, logger: logger, backoffInitial: backoffInitial,
            exitLimit: exitLimit)
    }

    /// The worker's process, once the dispatcher knows the worker.
    func readyProcess() async throws -> Int32 {
        while try await workers() == 0 { await Task.yield() }
        return try #require(await supervisor.processIdentifier)
    }

    /// Workers that the dispatcher knows.
    func workers() async throws -> Int {
        try await dispatcher.ask { [status] _ in status.numbers.workers }
    }

    func end() async {
        // The folder of a test is of no interest when it cannot be removed.
        try? FileManager.default.removeItem(atPath: folder)
        try? await group.shutdownGracefully()
    }
}
