import Foundation
import HTTPTransport
import NIOCore
import Testing

@testable import LoadGenerator

/// Whole runs against a real server on loopback.
@Suite(.timeLimit(.minutes(2))) struct LoadRunTests {
    typealias Version = LoadConfiguration.HTTPVersion

    private func configuration(
        _ target: LoadTarget, _ version: Version, requests: Int, concurrency: Int = 4,
        _ traffic: TrafficClass = TrafficClass()
    ) -> LoadConfiguration {
        var configuration = LoadConfiguration(targets: [target])
        configuration.version = version
        configuration.load = .closed(concurrency: concurrency)
        configuration.extent = .requests(requests)
        configuration.classes = [traffic]
        configuration.requestTimeoutSeconds = 60
        return configuration
    }

    private func short(_ tokens: Double = 5) -> TrafficClass {
        var traffic = TrafficClass()
        traffic.output = .constant(tokens)
        traffic.prompt = .words(.constant(6))
        return traffic
    }

    @Test(arguments: Version.allCases)
    func countsWhatAServerDelivers(_ version: Version) async throws {
        let stub = ChatStub()
        let report = try await withServer(stub) { target in
            var run = configuration(target, version, requests: 20, short())
            run.warmUpRequests = 3
            run.fields = [HTTPField("authorization", "Bearer k")]
            return try await LoadRun.perform(run)
        }
        #expect(report.succeeded == 20)
        #expect(report.failed == 0, "\(report.errors)")
        #expect(report.outputTokens == 100)
        #expect(report.outputDeltas == 100)
        #expect(report.reachedLength == 20)
        #expect(report.timeToFirstToken?.count == 20)
        #expect(stub.seen.count == 23)
        #expect(stub.seen.allSatisfy { $0.authorization == "Bearer k" })
        #expect(stub.seen.allSatisfy { $0.messages.map { $0[0] } == ["user"] })
        #expect(stub.seen.allSatisfy { $0.messages[0][1].split(separator: " ").count == 6 })
    }

    @Test(arguments: Version.allCases)
    func speaksTLS(_ version: Version) async throws {
        let folder = FileManager.default.temporaryDirectory.path + "/load-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let files = try SelfSignedCertificate.files(in: folder)
        let stub = ChatStub()
        try await withServer(stub, tls: try TLSServerContext(files)) { target in
            var run = configuration(target, version, requests: 4, short())
            run.trust = .authority(path: files.certificateChainPath)
            let trusting = try await LoadRun.perform(run)
            #expect(trusting.succeeded == 4, "\(trusting.errors)")
            run.trust = .anybody
            let careless = try await LoadRun.perform(run)
            #expect(careless.succeeded == 4, "\(careless.errors)")
            run.trust = .system
            let untrusting = run
            await #expect(throws: HTTPStreamError.self) {
                try await LoadRun.perform(untrusting)
            }
        }
        #expect(stub.seen.count == 8)
    }

    @Test(arguments: Version.allCases)
    func feedsAnswersBack(_ version: Version) async throws {
        var traffic = short(3)
        traffic.sharedPrefix = .init(pool: 1, tokens: 4)
        traffic.conversation = .init(turns: .constant(3), thinkSeconds: .constant(0.02))
        let stub = ChatStub()
        let report = try await withServer(stub) { target in
            try await LoadRun.perform(
                configuration(target, version, requests: 2, concurrency: 1, traffic))
        }
        #expect(report.succeeded == 6)
        #expect(report.failed == 0, "\(report.errors)")
        let seen = stub.seen
        try #require(seen.count == 6)
        let roles = seen.map { $0.messages.map { $0[0] } }
        #expect(roles[0] == ["system", "user"])
        #expect(roles[2] == ["system", "user", "assistant", "user", "assistant", "user"])
        let answer = (0..<3).map(stub.delta).joined()
        #expect(seen[1].messages[2][1] == answer)
        // Each turn has all that was said, and the next conversation begins anew.
        #expect(Array(seen[2].messages.prefix(4)) == seen[1].messages)
        #expect(seen[3].messages.count == 2)
        #expect(seen[3].messages[0] == seen[0].messages[0])
        #expect(seen[3].messages[1] != seen[0].messages[1])
        #expect(seen[1].arrived >= seen[0].arrived + 20_000_000)
        // Thinking is not the server's time.
        #expect(try #require(report.timeToFirstToken).count == 6)
    }

    @Test(arguments: Version.allCases)
    func givesUpAfterTokens(_ version: Version) async throws {
        var traffic = short(100_000)
        traffic.cancels = .init(fraction: 1, moment: .afterTokens(3))
        // No fourth comes: who does not give up with the third waits until it times out.
        let stub = ChatStub(gap: .milliseconds(1), pausesAfter: 3)
        let report = try await withServer(stub) { target in
            let report = try await LoadRun.perform(
                configuration(target, version, requests: 4, concurrency: 2, traffic))
            // The server hears of the last only after the run's end.
            await stub.cancellations(4)
            return report
        }
        #expect(report.failed == 0, "\(report.errors)")
        #expect(report.succeeded == 0)
        #expect(report.cancelled == 4)
        #expect(report.outputDeltas == 12)
        #expect(stub.seen.count == 4)
    }

    @Test func givesUpAfterATime() async throws {
        var traffic = short(100_000)
        traffic.cancels = .init(fraction: 1, moment: .afterMilliseconds(20))
        let stub = ChatStub(pausesAfter: 1)
        try await withServer(stub) { target in
            let report = try await LoadRun.perform(
                configuration(target, .h2, requests: 3, concurrency: 3, traffic))
            #expect(report.failed == 0, "\(report.errors)")
            #expect(report.cancelled == 3)
            #expect(report.seconds >= 0.02)
            await stub.cancellations(3)
        }
    }

    @Test func holdsTheServerUpAsASlowReader() async throws {
        var traffic = short(400)
        traffic.name = "chat"
        traffic.slowReaders = .init(fraction: 1, pace: .bytesPerSecond(2_000_000))
        let stub = ChatStub(deltaBytes: 1_000)
        let report = try await withServer(stub) { target in
            try await LoadRun.perform(
                configuration(target, .h2, requests: 2, concurrency: 2, traffic))
        }
        #expect(report.failed == 0, "\(report.errors)")
        #expect(report.outputTokens == 800)
        #expect(stub.log.withLock { $0.held } > 0)
        // Their gaps are their own.
        #expect(report.interTokenLatency == nil)
        #expect(report.seconds > 0.15)
    }

    @Test(
        arguments: [Version.h2, .grpc],
        [TrafficClass.SlowReaders.Pace.bytesPerSecond(1), .stall(seconds: 3_600)])
    func slowReadersGetAWindowAndNoMore(
        _ version: Version, _ pace: TrafficClass.SlowReaders.Pace
    ) async throws {
        var traffic = short(400)
        traffic.slowReaders = .init(fraction: 1, pace: pace)
        let report = try await withServer(ChatStub(deltaBytes: 1_000)) { target in
            var run = configuration(target, version, requests: 1, concurrency: 1, traffic)
            run.extent = .seconds(0.3)
            // Until a machine has had the time for a first token.
            var report = try await LoadRun.perform(run)
            while report.outputDeltas == 0 { report = try await LoadRun.perform(run) }
            return report
        }
        #expect(report.outputDeltas * 1_000 <= 4_096)
        #expect(report.cutOff == 1)
    }

    @Test(arguments: [Version.h2, .grpc])
    func stallsAndReadsOn(_ version: Version) async throws {
        var traffic = short(400)
        traffic.slowReaders = .init(fraction: 1, pace: .stall(seconds: 0.1))
        let stub = ChatStub(deltaBytes: 1_000)
        let report = try await withServer(stub) { target in
            try await LoadRun.perform(
                configuration(target, version, requests: 1, concurrency: 1, traffic))
        }
        #expect(report.failed == 0, "\(report.errors)")
        #expect(report.outputTokens == 400)
        #expect(report.seconds > 0.1)
    }

    @Test func latenciesCountFromTheIntendedStart() async throws {
        // All four are due at once, and the server lets one run at a time.
        var limits = HTTPLimits()
        limits.concurrentStreams = 1
        limits.advertisedConcurrentStreams = 1
        let stub = ChatStub(gap: .milliseconds(5))
        let report = try await withServer(stub, limits: limits) { target in
            var run = configuration(target, .h2, requests: 4, short())
            run.play(
                try TraceReplay(
                    Trace(
                        records: (0..<4).map { _ in
                            .init(instant: 0, input: 3, output: 4)
                        })))
            return try await LoadRun.perform(run)
        }
        #expect(report.succeeded == 4, "\(report.errors)")
        #expect(report.outputTokens == 16)
        // The last waits for three answers of four gaps each.
        #expect(try #require(report.timeToFirstToken).max >= 60)
    }

    @Test func refusalsAreShedAndWarmUpFailuresAreTold() async throws {
        let stub = ChatStub(refusals: 2)
        let report = try await withServer(stub) { target in
            var run = configuration(target, .h2, requests: 3, concurrency: 1, short())
            run.warmUpRequests = 1
            return try await LoadRun.perform(run)
        }
        #expect(report.errors == ["status 503": 1])
        #expect(report.otherErrors == ["warm-up: status 503": 1])
        #expect(report.succeeded == 2)
        #expect(report.failed == 1)
        #expect(report.shed?.requests == 1)
        #expect(report.shed?.kinds == ["status 503": 1])
        #expect(report.errorSample == "busy")
    }

    @Test func theLastBlockHasItsCPUTime() async throws {
        let report = try await withServer(ChatStub(gap: .milliseconds(1))) { target in
            var run = configuration(target, .h2, requests: 1, concurrency: 1, short(1_000_000))
            run.extent = .seconds(0.3)
            run.processes = [
                .init(name: "own", pid: ProcessInfo.processInfo.processIdentifier),
                .init(name: "none", pid: .max),
            ]
            return try await LoadRun.perform(run)
        }
        let whole = try #require(report.processes[0].cpuSeconds)
        let parts = try #require(report.blocks).map { $0.cpuSeconds?[0] }
        #expect(!parts.contains(nil))
        #expect(abs(parts.reduce(0) { $0 + ($1 ?? 0) } - whole) < 1e-9)
        #expect(report.blocks?.last?.cpuSeconds?[1] == nil)
    }

    @Test func anAnswerThatHangsAtTheEndIsNotGood() async throws {
        let report = try await withServer(ChatStub(gap: .seconds(60))) { target in
            var run = configuration(target, .h2, requests: 1, concurrency: 1, short())
            run.extent = .seconds(0.3)
            run.objective = ServiceLevelObjective(interTokenLatency: 20)
            return try await LoadRun.perform(run)
        }
        #expect(report.cutOff == 1)
        #expect(report.outputDeltas == 1)
        #expect(report.goodput?.judged == 1)
        #expect(report.goodput?.fraction == 0)
    }

    @Test func arrivalsThatAreKeptBackAreNotGood() async throws {
        let report = try await withServer(ChatStub(gap: .milliseconds(20))) { target in
            var run = configuration(target, .h2, requests: 5, short())
            run.inFlightMax = 1
            run.objective = ServiceLevelObjective(endToEnd: 60_000)
            run.load = .open(ArrivalSchedule(shape: .constant, rate: 1_000, seed: 1))
            return try await LoadRun.perform(run)
        }
        #expect(report.succeeded >= 1)
        #expect(report.notSent == 5 - report.succeeded)
        #expect(report.failed == report.notSent)
        #expect(report.errors == ["generator's in-flight limit": report.failed])
        #expect(report.goodput?.judged == 5)
        #expect(report.warnings.contains { $0.contains("were not sent") })
    }

    @Test func refusalsAreNoAnswersHoweverLongTheyAre() async throws {
        let event = "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n"
        let stub = ChatStub(refusals: 1, refusal: String(repeating: event, count: 2_000))
        let report = try await withServer(stub) { target in
            try await LoadRun.perform(
                configuration(target, .h2, requests: 1, concurrency: 1, short()))
        }
        #expect(report.errors == ["status 503": 1])
        #expect(report.outputDeltas == 0)
        #expect(report.timeToFirstToken == nil)
        let sample = try #require(report.errorSample)
        #expect(sample.hasPrefix(event))
        #expect(sample.utf8.count == LoadStream.errorBodyBytesMax)
    }

    @Test func theLoadMaySettleBeforeItIsMeasured() async throws {
        let stub = ChatStub()
        let report = try await withServer(stub) { target in
            var run = configuration(target, .h1, requests: 5, concurrency: 2, short())
            run.warmUpSeconds = 0.05
            return try await LoadRun.perform(run)
        }
        #expect(report.succeeded == 5)
        #expect(stub.seen.count > 5)
    }

    @Test func streamsThatBeganBeforeTheMeasurementCountAsOutput() async throws {
        let stub = ChatStub(gap: .milliseconds(1))
        let report = try await withServer(stub) { target in
            // An answer of 200 gaps lasts longer than the warm-up.
            var run = configuration(target, .h2, requests: 2, concurrency: 2, short(200))
            run.warmUpSeconds = 0.05
            return try await LoadRun.perform(run)
        }
        // As requests they do not count.
        #expect(report.succeeded == 2 && report.failed + report.cutOff == 0)
        #expect(stub.seen.count >= 4)
        #expect(report.outputDeltas > 400)
        #expect(try #require(report.interTokenLatency).count > 398)
    }

    @Test func twoServersShareTheRequests() async throws {
        let (first, second) = (ChatStub(), ChatStub())
        for version in Version.allCases {
            try await withServer(first) { one in
                try await withServer(second) { two in
                    var run = configuration(one, version, requests: 12, short())
                    run.targets = [one, two]
                    let report = try await LoadRun.perform(run)
                    #expect(report.succeeded == 12, "\(report.errors)")
                }
            }
        }
        #expect(first.seen.count == 18)
        #expect(second.seen.count == 18)
    }

    @Test func theSameSeedAsksTheSame() async throws {
        var mix = [short(), short(2)]
        mix[0].prompt = .words(.lognormal(median: 20, sigma: 1, max: 60))
        mix[1].tier = "priority"
        func asked(_ seed: UInt64) async throws -> [[[String]]] {
            let stub = ChatStub()
            try await withServer(stub) { target in
                var run = configuration(target, .h2, requests: 12, concurrency: 1)
                run.classes = mix
                run.seed = seed
                _ = try await LoadRun.perform(run)
            }
            return stub.seen.map(\.messages)
        }
        let first = try await asked(3)
        #expect(try await asked(3) == first)
        #expect(try await asked(4) != first)
    }
}
