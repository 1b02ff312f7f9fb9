import Foundation
import InferenceTypes
import Scheduling
import Synchronization
import Testing

@testable import Worker

/// The engine thread's loop with a simulated engine, without network: mail in, batches out.
@Suite struct EngineLoopTests {
    /// Collects what the engine posts, and acknowledges it unless told to wait.
    private final class Collector: Sendable {
        let batches = Mutex<[StepOutput]>([])
        let isSlow = Mutex(false)

        func port(_ mailbox: EngineMailbox, loop: Int) -> StepOutputPort {
            StepOutputPort { output in
                self.batches.withLock { $0.append(output) }
                if !self.isSlow.withLock({ $0 }) { mailbox.acknowledge(loop: loop) }
            }
        }

        func tokens(of key: SequenceKey) -> [TokenID] {
            batches.withLock { batches in
                batches.flatMap(\.events).compactMap { event in
                    if case .token(let token) = event, token.key == key { token.token } else { nil }
                }
            }
        }

        var finished: Int {
            batches.withLock { batches in
                batches.flatMap(\.events).count { if case .finished = $0 { true } else { false } }
            }
        }
    }

    private let generation = SimulatedGeneration(
        seed: 7, tokens: 0..<999, endOfGenerationToken: 999)

    private func request(_ number: Int, tokens: Int) -> GenerationRequest {
        var sampling = SamplingParameters()
        sampling.maxTokens = tokens
        sampling.seed = UInt64(number)
        return GenerationRequest(
            id: "r\(number)", prompt: (0..<20).map { TokenID(number * 31 + $0) % 999 },
            sampling: sampling)
    }

    private func expected(_ request: GenerationRequest) -> [TokenID] {
        let stream = generation.stream(prompt: request.prompt, parameters: request.sampling)
        return (0..<(request.sampling.maxTokens ?? 0)).map {
            generation.sample(stream: stream, position: $0, parameters: request.sampling).token
        }
    }

    private func start(
        slots: Int, mailbox: EngineMailbox, ports: [StepOutputPort]
    ) async throws -> Task<EngineReport, any Error> {
        let properties = EngineProperties(
            contextTokens: 4_096, cacheCells: 8_192, maxSequences: slots * 2, batchTokens: 512,
            vocabularySize: 1_000, endOfGenerationTokens: [999])
        let now: @Sendable () -> Instant = {
            Instant(nanoseconds: Int64(DispatchTime.now().uptimeNanoseconds))
        }
        var configuration = SchedulerConfiguration()
        configuration.slots = slots
        let scheduler = try Scheduler(configuration: configuration, engine: properties)
        let engine = SimulatedEngine(.init(properties: properties, generation: generation))
        let (stream, continuation) = AsyncStream.makeStream(
            of: Result<EngineReport, any Error>.self)
        Thread.detachNewThread {
            var loop = EngineLoop(
                engine: PacedEngine(engine, now: now), scheduler: scheduler, mailbox: mailbox,
                ports: ports, metrics: WorkerMetrics { mailbox.report }, now: now)
            continuation.yield(Result { try loop.run() })
        }
        return Task {
            for await result in stream { return try result.get() }
            throw CancellationError()
        }
    }

    /// Polls, since the engine's thread owes nobody a callback; bounded by the test's time limit.
    private func wait(until condition: () -> Bool) async {
        while !condition() { await Task.yield() }
    }

    @Test(.timeLimit(.minutes(1))) func everyRequestGetsItsOwnTokens() async throws {
        let mailbox = EngineMailbox(submissionsMax: 100, batchesMax: 4, loops: 2)
        let collectors = [Collector(), Collector()]
        let ports = (0..<2).map { collectors[$0].port(mailbox, loop: $0) }
        let task = try await start(slots: 8, mailbox: mailbox, ports: ports)
        let requests = (0..<40).map { request($0, tokens: 5 + $0) }
        for (number, request) in requests.enumerated() {
            let key = SequenceKey(loop: number % 2, generation: 1, slot: number)
            #expect(mailbox.submit(.submit(key, request, deadline: nil)))
        }
        await wait { collectors[0].finished + collectors[1].finished == 40 }
        mailbox.post(.stop)
        let report = try await task.value
        for (number, request) in requests.enumerated() {
            let key = SequenceKey(loop: number % 2, generation: 1, slot: number)
            #expect(collectors[number % 2].tokens(of: key) == expected(request), "\(number)")
            #expect(collectors[1 - number % 2].tokens(of: key).isEmpty)
        }
        #expect(report.load.running == 0 && report.load.waiting == 0)
        #expect(report.time.busyNanoseconds >= report.time.executeNanoseconds)
    }

    @Test(.timeLimit(.minutes(1))) func stopsProducingForALoopThatDoesNotAcknowledge() async throws
    {
        let mailbox = EngineMailbox(submissionsMax: 10, batchesMax: 3, loops: 1)
        let collector = Collector()
        collector.isSlow.withLock { $0 = true }
        let task = try await start(
            slots: 4, mailbox: mailbox, ports: [collector.port(mailbox, loop: 0)])
        let request = request(1, tokens: 500)
        let key = SequenceKey(1)
        #expect(mailbox.submit(.submit(key, request, deadline: nil)))
        await wait { collector.batches.withLock { $0.count } == 3 }
        // Mail makes the engine look at its mailbox again, and it finds no reason to go on.
        for _ in 0..<5 {
            let seen = mailbox.report.instant
            mailbox.post(.cancel(SequenceKey(77)))
            await wait { mailbox.report.instant > seen }
        }
        #expect(collector.batches.withLock { $0.count } == 3)
        collector.isSlow.withLock { $0 = false }
        for _ in 0..<3 { mailbox.acknowledge(loop: 0) }
        await wait { collector.finished == 1 }
        mailbox.post(.stop)
        let report = try await task.value
        #expect(collector.tokens(of: key) == expected(request))
        #expect(report.time.outputWaitNanoseconds > 0)
    }

    @Test(.timeLimit(.minutes(1))) func refusalsReachTheirLoop() async throws {
        let mailbox = EngineMailbox(submissionsMax: 10, batchesMax: 3, loops: 1)
        let collector = Collector()
        let task = try await start(
            slots: 4, mailbox: mailbox, ports: [collector.port(mailbox, loop: 0)])
        let request = GenerationRequest(id: "", prompt: [], sampling: SamplingParameters())
        #expect(mailbox.submit(.submit(SequenceKey(9), request, deadline: nil)))
        await wait { collector.batches.withLock { !$0.isEmpty } }
        let refusal = collector.batches.withLock { $0[0].refusals.first }
        #expect(refusal?.key == SequenceKey(9))
        #expect(refusal?.error == .emptyPrompt)
        mailbox.post(.stop)
        _ = try await task.value
    }

    /// Breaks at its third step.
    private struct BrittleEngine: TimedEngine {
        var base: SimulatedEngine
        var steps = 0
        let decodeNanoseconds: Int64 = 0
        var properties: EngineProperties { base.properties }

        mutating func execute(_ plan: StepPlan) throws(EngineError) -> StepResult {
            steps += 1
            if steps == 3 { throw .failed(code: -3, message: "device lost") }
            return try base.execute(plan)
        }
    }

    @Test func anEngineThatBreaksTellsItsRequestsAndEndsTheLoop() throws {
        let mailbox = EngineMailbox(submissionsMax: 10, batchesMax: 10, loops: 1)
        let collector = Collector()
        let properties = EngineProperties(
            contextTokens: 512, cacheCells: 512, maxSequences: 4, batchTokens: 64,
            vocabularySize: 1_000)
        let engine = BrittleEngine(
            base: SimulatedEngine(.init(properties: properties, generation: generation)))
        var configuration = SchedulerConfiguration()
        configuration.slots = 2
        let now: @Sendable () -> Instant = { .zero }
        var loop = EngineLoop(
            engine: engine,
            scheduler: try Scheduler(configuration: configuration, engine: properties),
            mailbox: mailbox, ports: [collector.port(mailbox, loop: 0)],
            metrics: WorkerMetrics { mailbox.report }, now: now)
        #expect(mailbox.submit(.submit(SequenceKey(1), request(1, tokens: 50), deadline: nil)))
        #expect(throws: EngineError.failed(code: -3, message: "device lost")) { try loop.run() }
        let failures = collector.batches.withLock { batches in
            batches.flatMap(\.events).compactMap { event in
                if case .failed(let key, let failure) = event { (key, failure) } else { nil }
            }
        }
        #expect(failures.map(\.0) == [SequenceKey(1)])
        #expect(failures.first?.1 == .engine(code: -3, message: "device lost"))
    }
}
