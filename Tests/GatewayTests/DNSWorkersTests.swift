import HTTPTransport
import Logging
import NIOPosix
import Synchronization
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(1))) struct DNSWorkersTests {
    private struct NoAnswer: Error {}

    /// Plays answers back, one for each lookup, and records what was reported and waited for.
    private final class Script: Sendable {
        private struct State {
            var answers: [Result<[String], NoAnswer>]
            var reports: [[HTTPEndpoint]] = []
            var pauses: [Duration] = []
        }

        private let state: Mutex<State>

        init(_ answers: [Result<[String], NoAnswer>]) {
            state = Mutex(State(answers: answers))
        }

        var reports: [[HTTPEndpoint]] { state.withLock { $0.reports } }
        var pauses: [Duration] { state.withLock { $0.pauses } }

        func lookUp() throws -> [String] {
            try state.withLock { $0.answers.removeFirst() }.get()
        }

        func report(_ workers: [WorkerSettings]) {
            state.withLock { $0.reports.append(workers.map(\.endpoint)) }
        }

        /// Ends the run after the last answer.
        func pause(_ duration: Duration) throws {
            try state.withLock {
                $0.pauses.append(duration)
                if $0.answers.isEmpty { throw CancellationError() }
            }
        }
    }

    private func run(_ answers: [Result<[String], NoAnswer>]) async -> Script {
        let script = Script(answers)
        var settings = DNSSettings(name: "workers.test", port: 9)
        settings.refreshSeconds = 10
        let source = DNSWorkers(
            settings: settings, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            lookUp: { name in
                #expect(name == "workers.test")
                return try script.lookUp()
            }, jitter: { 0.75 }, pause: { try script.pause($0) })
        await source.run { script.report($0) }
        return script
    }

    private func endpoints(_ hosts: String...) -> [HTTPEndpoint] {
        hosts.map { .tcp(host: $0, port: 9) }
    }

    @Test func changesAreReportedAndOnlyThose() async {
        let script = await run([
            .success(["10.0.0.2", "10.0.0.1", "fd00::1"]),
            .success(["10.0.0.1", "fd00::1", "10.0.0.2"]), .success(["10.0.0.1"]),
        ])
        #expect(
            script.reports
                == [endpoints("10.0.0.1", "10.0.0.2", "fd00::1"), endpoints("10.0.0.1")])
        #expect(script.pauses == Array(repeating: .seconds(10.5), count: 3))
    }

    @Test func aFailedLookupLeavesTheLastAnswerStanding() async {
        let script = await run([
            .failure(NoAnswer()), .success(["10.0.0.1"]), .failure(NoAnswer()),
            .failure(NoAnswer()), .success(["10.0.0.1"]), .success(["10.0.0.2"]),
        ])
        #expect(script.reports == [endpoints("10.0.0.1"), endpoints("10.0.0.2")])
    }

    @Test func anAnswerIsBounded() async {
        let many = (0..<2_000).map { "10.0.\($0 / 256).\($0 % 256)" }
        let script = await run([.success(many)])
        #expect(script.reports.map(\.count) == [DNSWorkers.addressesLimit])
    }

    @Test func intervalsStayWithinTheirJitter() {
        #expect(DNSWorkers.interval(5, jitter: 0) == .seconds(4.5))
        #expect(DNSWorkers.interval(5, jitter: 0.5) == .seconds(5))
        #expect(DNSWorkers.interval(5, jitter: 1) == .seconds(5.5))
    }

    @Test func theSystemKnowsThisMachine() async throws {
        let pool = NIOThreadPool(numberOfThreads: 1)
        pool.start()
        let found = try await SystemResolver.addresses(of: "localhost", on: pool)
        #expect(found.contains("127.0.0.1") || found.contains("::1"))
        #expect(Set(found).count == found.count)
        #expect(try await SystemResolver.addresses(of: "127.0.0.3", on: pool) == ["127.0.0.3"])
        let failure = await #expect(throws: SystemResolver.LookupFailed.self) {
            _ = try await SystemResolver.addresses(of: "no-such-name.invalid", on: pool)
        }
        #expect(failure?.name == "no-such-name.invalid" && failure?.reason.isEmpty == false)
        try await pool.shutdownGracefully()
    }
}
