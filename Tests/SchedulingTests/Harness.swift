import Foundation
import InferenceTypes
import Testing

@testable import Scheduling

/// Seeds of the property tests: `SEED=n` in the environment replays one.
enum Seeds {
    static func some(_ count: Int) -> [UInt64] {
        if let text = ProcessInfo.processInfo.environment["SEED"], let seed = UInt64(text) {
            return [seed]
        }
        return (1...UInt64(count)).map { SeededGenerator.mix($0) % 1_000_000_007 }
    }
}

/// A scheduler over a simulated engine that checks every plan, with a record of what came out.
struct Harness {
    var scheduler: Scheduler
    var engine: SimulatedEngine
    var now = Instant(nanoseconds: 1_000_000_000)
    var requests: [SequenceKey: GenerationRequest] = [:]
    var output: [SequenceKey: [TokenID]] = [:]
    var reasons: [SequenceKey: FinishReason] = [:]
    var usages: [SequenceKey: Usage] = [:]
    var firstTokenStep: [SequenceKey: Int] = [:]
    var chunks: [SequenceKey: [Range<Int>]] = [:]
    var preemptions: [SequenceKey] = []
    var failures: [SequenceKey: RequestFailure] = [:]
    var steps: [StepPlan] = []
    var durations: [Int64] = []
    var keepsSteps = true
    var copies = 0
    var cuts = 0
    var clears = 0
    var digest: UInt64 = 0
    private var lastKey: UInt64 = 0

    static func properties(
        context: Int = 4096, cells: Int = 4096, sequences: Int = 32, batch: Int = 512
    ) -> EngineProperties {
        EngineProperties(
            contextTokens: context, cacheCells: cells, maxSequences: sequences,
            batchTokens: batch, vocabularySize: 1000, endOfGenerationTokens: [2])
    }

    init(
        _ configuration: SchedulerConfiguration = .init(),
        properties: EngineProperties = Self.properties(),
        generation: SimulatedGeneration = .init(tokens: 10..<1000, endOfGenerationToken: 2),
        time: StepTimeModel = .affine(.llamaCPU)
    ) throws {
        scheduler = try Scheduler(configuration: configuration, engine: properties)
        engine = SimulatedEngine(
            .init(properties: properties, generation: generation, time: time))
    }

    @discardableResult
    mutating func submit(
        _ prompt: [TokenID], maxTokens: Int? = 8, tier: ServiceTier = .standard,
        tenant: String = "", weight: Double = 1, resumed: Int = 0, deadline: Instant? = nil,
        due: Instant? = nil,
        _ change: (inout SamplingParameters) -> Void = { _ in }
    ) throws(SubmitError) -> SequenceKey {
        lastKey += 1
        let key = SequenceKey(lastKey)
        var sampling = SamplingParameters()
        sampling.maxTokens = maxTokens
        change(&sampling)
        var request = GenerationRequest(id: "\(lastKey)", prompt: prompt, sampling: sampling)
        request.tier = tier
        request.tenant = tenant
        request.tenantWeight = weight
        request.resumedTokens = resumed
        try scheduler.submit(request, key: key, deadline: deadline, due: due, now: now)
        requests[key] = request
        output[key] = []
        return key
    }

    /// One whole step; false when there was nothing to do.
    @discardableResult
    mutating func step(
        failing failure: EngineError? = nil, inFlight: (inout Harness) -> Void = { _ in }
    ) -> Bool {
        record(scheduler.expire(now: now))
        guard let plan = scheduler.schedule(now: now) else { return false }
        note(plan)
        inFlight(&self)
        let result = execute(plan, failing: failure)
        if case .success(let result) = result {
            durations.append(result.durationNanoseconds)
            now = now.advanced(byNanoseconds: max(1000, result.durationNanoseconds))
        }
        record(scheduler.complete(plan, result, now: now))
        if scheduler.cacheOperations.isEmpty {
            #expect(engine.cache.usedCells == scheduler.cache.usedCells)
        }
        return true
    }

    /// Nothing of the batch is computed when the failure is injected, but the operations are.
    private mutating func execute(
        _ plan: StepPlan, failing failure: EngineError?
    ) -> Result<StepResult, EngineError> {
        if let failure {
            engine.executeOperationsOnly(plan)
            return .failure(failure)
        }
        do throws(EngineError) {
            return .success(try engine.execute(plan))
        } catch {
            Issue.record("\(error)")
            return .failure(error)
        }
    }

    mutating func run(steps limit: Int = 100_000) {
        var count = 0
        while step() {
            count += 1
            guard count < limit else {
                Issue.record("still busy after \(limit) steps")
                return
            }
        }
    }

    private mutating func note(_ plan: StepPlan) {
        mix(plan.number)
        for entry in plan.entries {
            mix(entry.key.rawValue)
            mix(UInt64(entry.sequence))
            mix(UInt64(entry.position))
            mix(UInt64(entry.tokenRange.count))
        }
        for operation in plan.cacheOperations {
            switch operation {
            case .copy: copies += 1
            case .truncate: cuts += 1
            case .clear: clears += 1
            }
        }
        mix(UInt64(copies * 1_000_000 + cuts * 1000 + clears))
        mix(UInt64(plan.budgetTokens))
        mix(UInt64(plan.predictedNanoseconds))
        if keepsSteps { steps.append(plan) } else { steps = [plan] }
    }

    private mutating func mix(_ value: UInt64) {
        digest = SeededGenerator.mix(digest ^ value)
    }

    private mutating func record(_ events: [SchedulerEvent]) {
        for event in events {
            mix(event.key.rawValue)
            #expect(requests[event.key] != nil, "an event of an unknown request")
            #expect(reasons[event.key] == nil, "an event after the end: \(event)")
            #expect(failures[event.key] == nil, "an event after the end: \(event)")
            switch event {
            case .token(let token):
                #expect(
                    token.index == output[event.key]!.count + requests[event.key]!.resumedTokens)
                output[event.key]!.append(token.token)
                mix(UInt64(token.token))
                if firstTokenStep[event.key] == nil {
                    firstTokenStep[event.key] = Int(scheduler.planNumber)
                }
            case .finished(let finished):
                reasons[event.key] = finished.reason
                usages[event.key] = finished.usage
            case .failed(_, let failure): failures[event.key] = failure
            case .preempted(let key): preemptions.append(key)
            case .prefilled(let key, let positions): chunks[key, default: []].append(positions)
            case .started: break
            }
        }
    }

    /// What a request yields when nothing disturbs it.
    func undisturbed(_ key: SequenceKey) -> (tokens: [TokenID], reason: FinishReason) {
        let request = requests[key]!
        let generation = engine.configuration.generation
        let prompt = request.prompt.dropLast(request.resumedTokens)
        let stream = generation.stream(prompt: prompt, parameters: request.sampling)
        var tokens: [TokenID] = []
        var position = request.resumedTokens
        while true {
            let sample = generation.sample(
                stream: stream, position: position, parameters: request.sampling)
            tokens.append(sample.token)
            if position >= request.sampling.minTokens {
                if sample.isEndOfGeneration, !request.sampling.ignoreEndOfSequence {
                    return (tokens, .endOfSequence)
                }
                if request.sampling.stopTokens.contains(sample.token) {
                    return (tokens, .stopToken(sample.token))
                }
            }
            position += 1
            if position == request.sampling.maxTokens { return (tokens, .maxTokens) }
            if prompt.count + position == engine.properties.requestTokensMax {
                return (tokens, .contextFull)
            }
        }
    }
}

extension SimulatedEngine {
    /// What an engine without room does: operations, nothing of the batch.
    mutating func executeOperationsOnly(_ plan: StepPlan) {
        var operations = StepPlan()
        operations.number = plan.number
        operations.cacheOperations = plan.cacheOperations
        operations.samplerOperations = plan.samplerOperations
        do throws(EngineError) {
            _ = try execute(operations)
            Issue.record("an empty batch was computed")
        } catch {
            #expect(error == .failed(code: 1, message: "broken plan: an empty batch"))
        }
    }
}

/// `count` tokens that depend on a seed.
func prompt(_ seed: UInt64, _ count: Int, below limit: UInt64 = 1000) -> [TokenID] {
    (0..<count).map { TokenID(SeededGenerator.value(seed: seed, counter: UInt64($0)) % limit) }
}
