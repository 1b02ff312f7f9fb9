import InferenceTypes
import Scheduling
import Testing

@testable import LlamaEngine

/// The engine on the real model. One at a time: each loads it anew.
@Suite(.serialized, .enabled(if: TestModel.isPresent, TestModel.absence))
struct LlamaCppEngineTests {
    private let prompt = EngineDriver.prompt(40)

    /// Greedy output of a stream alone in the batch.
    private func alone(
        _ prompt: [TokenID], tokens: Int, _ layout: CacheLayout = .shared
    ) throws -> [TokenID] {
        let driver = try EngineDriver(TestModel.configuration(layout: layout))
        try driver.start(prompt, sequence: 0, slot: 0)
        try driver.run(steps: tokens - 1)
        return driver.streams[0].generated
    }

    @Test func knowsTheModel() throws {
        let engine = try LlamaCppEngine(TestModel.configuration(cells: 512))
        #expect(engine.properties.vocabularySize == 49152)
        #expect(engine.properties.contextTokens == 512)
        #expect(engine.properties.cacheCells == 512)
        #expect(engine.properties.supportsPartialRemoval)
        #expect(engine.properties.endOfGenerationTokens.contains(2))
        #expect(engine.model.trainingContextTokens == 8192)
        #expect(engine.model.summary.contains("Q4_0"))
        #expect(!ComputeDevice.all().isEmpty)
    }

    @Test func badFilesAndSettingsAreTypedErrors() throws {
        var configuration = TestModel.configuration()
        configuration.modelPath = "/nowhere.gguf"
        #expect(throws: LlamaEngineError.modelUnreadable(path: "/nowhere.gguf", code: 2)) {
            try LlamaCppEngine(configuration)
        }
        configuration.modelPath = #filePath
        #expect(throws: LlamaEngineError.modelRejected(path: #filePath)) {
            try LlamaCppEngine(configuration)
        }
        configuration.maxSequences = 257
        #expect(throws: LlamaEngineError.self) { try LlamaCppEngine(configuration) }
    }

    @Test(arguments: CacheLayout.allCases)
    func greedyFollowsTheLargestLogit(_ layout: CacheLayout) throws {
        // The library's own loop and sampler, one sequence.
        #expect(try alone(prompt, tokens: 24, layout) == ReferenceLoop.greedy(prompt, tokens: 24))
    }

    @Test(arguments: CacheLayout.allCases)
    func streamsInOneBatchDoNotMix(_ layout: CacheLayout) throws {
        let prompts = (0..<4).map { EngineDriver.prompt(20 + 7 * $0, seed: UInt64($0)) }
        let driver = try EngineDriver(TestModel.configuration(layout: layout))
        for (index, prompt) in prompts.enumerated() {
            try driver.start(prompt, sequence: SequenceID(index), slot: index)
        }
        // Streams started earlier are ahead by nothing: all decode together from here.
        try driver.run(steps: 11)
        for (index, prompt) in prompts.enumerated() {
            #expect(driver.streams[index].generated == (try alone(prompt, tokens: 12, layout)))
        }
    }

    @Test(arguments: CacheLayout.allCases)
    func streamsComeAndGoAnywhere(_ layout: CacheLayout) throws {
        let driver = try EngineDriver(TestModel.configuration(layout: layout))
        let prompts = (0..<6).map { EngineDriver.prompt(20 + 5 * $0, seed: UInt64($0)) }
        var expected: [[TokenID]] = []
        for prompt in prompts { expected.append(try alone(prompt, tokens: 30, layout)) }
        /// Checks what a stream has generated so far, and forgets it.
        func finish(_ index: Int, prompt: Int) throws {
            let generated = driver.streams[index].generated
            #expect(generated == Array(expected[prompt].prefix(generated.count)))
            try driver.end(index)
        }
        try driver.start(prompts[0], sequence: 0, slot: 0)
        try driver.start(prompts[1], sequence: 9, slot: 1)
        try driver.start(prompts[2], sequence: 4, slot: 2)
        try driver.start(prompts[3], sequence: 31, slot: 3)
        try driver.run(steps: 3)
        // A gap of a few steps, then what is left moves together.
        try finish(1, prompt: 1)
        try driver.run(steps: 7)
        // One that begins with what another left behind, one that begins with nothing.
        try driver.start(
            prompts[1], sequence: 12, slot: 4, copyFrom: (9, prompts[1].count - 1))
        try driver.start(prompts[4], sequence: 30, slot: 5)
        try driver.run(steps: 2)
        try finish(0, prompt: 0)
        try driver.start(prompts[5], sequence: 1, slot: 0)
        try driver.run(steps: 8)
        for prompt in [2, 3, 1, 4, 5] { try finish(0, prompt: prompt) }
    }

    @Test(arguments: CacheLayout.allCases)
    func copiedPrefixesGiveTheSameOutput(_ layout: CacheLayout) throws {
        let driver = try EngineDriver(TestModel.configuration(layout: layout))
        try driver.start(prompt, sequence: 0, slot: 0)
        try driver.start(prompt, sequence: 5, slot: 1, copyFrom: (0, 30))
        try driver.run(steps: 9)
        #expect(driver.streams[0].generated == driver.streams[1].generated)
    }

    @Test(arguments: CacheLayout.allCases)
    func truncatedSequencesGoOn(_ layout: CacheLayout) throws {
        let driver = try EngineDriver(TestModel.configuration(layout: layout))
        try driver.start(prompt, sequence: 0, slot: 0)
        try driver.run(steps: 9)
        let whole = driver.streams[0].generated
        var plan = StepPlan()
        plan.cacheOperations = [.truncate(0, length: prompt.count + 3)]
        plan.samplerOperations = [.end(slot: 0)]
        _ = try driver.engine.execute(plan)
        driver.streams.removeAll()
        // Resume after five of the ten tokens, with three of them resident.
        var resumed = StepPlan()
        var parameters = SamplingParameters()
        parameters.temperature = 0
        resumed.samplerOperations = [
            .begin(
                slot: 0,
                SamplerStart(
                    key: SequenceKey(9), parameters: parameters, prompt: prompt[...],
                    generated: whole[..<5]))
        ]
        resumed.tokens = Array(whole[3..<5])
        resumed.entries = [
            StepEntry(
                key: SequenceKey(9), sequence: 0, tokenRange: 0..<2, position: prompt.count + 3,
                sample: SampleRequest(slot: 0, position: 5))
        ]
        let result = try driver.engine.execute(resumed)
        #expect(result.samples.map(\.token) == [whole[5]])
    }

    @Test(arguments: CacheLayout.allCases)
    func clearedSequencesStartAnew(_ layout: CacheLayout) throws {
        let driver = try EngineDriver(TestModel.configuration(layout: layout))
        try driver.start(prompt, sequence: 0, slot: 0)
        let first = driver.streams[0].generated
        var plan = StepPlan()
        plan.cacheOperations = [.clear(0)]
        plan.samplerOperations = [.end(slot: 0)]
        _ = try driver.engine.execute(plan)
        driver.streams.removeAll()
        try driver.start(prompt, sequence: 0, slot: 0)
        #expect(driver.streams[0].generated == first)
    }

    @Test(arguments: CacheLayout.allCases)
    func seedsReproduceAndResume(_ layout: CacheLayout) throws {
        func parameters(_ seed: UInt64) -> (inout SamplingParameters) -> Void {
            {
                $0.temperature = 0.9
                $0.topP = 0.95
                $0.frequencyPenalty = 0.3
                $0.seed = seed
            }
        }
        let driver = try EngineDriver(TestModel.configuration(layout: layout))
        try driver.start(prompt, sequence: 0, slot: 0, parameters(7))
        try driver.start(prompt, sequence: 1, slot: 1, parameters(7))
        try driver.start(prompt, sequence: 2, slot: 2, parameters(8))
        try driver.run(steps: 11)
        let whole = driver.streams[0].generated
        #expect(driver.streams[1].generated == whole)
        #expect(driver.streams[2].generated != whole)
        // On "another worker", from the middle.
        let other = try EngineDriver(TestModel.configuration(layout: layout))
        try other.start(
            prompt, sequence: 3, slot: 4, generated: Array(whole[..<6]), parameters(7))
        try other.run(steps: 5)
        #expect(other.streams[0].generated == whole)
    }

    @Test func logprobsSumToOne() throws {
        let driver = try EngineDriver()
        try driver.start(prompt, sequence: 0, slot: 0) {
            $0.temperature = 0
            $0.topLogprobs = 20
        }
        let logprob = try #require(driver.streams[0].samples[0].logprob)
        #expect(logprob.top.count == 20)
        #expect(logprob.top[0].token == logprob.token)
        #expect(logprob.top[0].logprob == logprob.logprob)
        #expect(zip(logprob.top, logprob.top.dropFirst()).allSatisfy { $0.logprob >= $1.logprob })
        let all = try EngineDriver()
        try all.start(prompt, sequence: 0, slot: 0) {
            $0.temperature = 0
            $0.topLogprobs = 49152
        }
        let every = try #require(all.streams[0].samples[0].logprob)
        let sum = every.top.reduce(0.0) { $0 + exponential(Double($1.logprob)) }
        #expect(abs(sum - 1) < 1e-4)
    }

    @Test func fullCacheIsReportedAndSurvived() throws {
        let driver = try EngineDriver(TestModel.configuration(cells: 256, batch: 256))
        try driver.start(EngineDriver.prompt(200), sequence: 0, slot: 0)
        #expect(throws: EngineError.noCacheSpace) {
            try driver.start(EngineDriver.prompt(200, seed: 2), sequence: 1, slot: 1)
        }
        try driver.run(steps: 3)
        var plan = StepPlan()
        plan.cacheOperations = [.clear(0)]
        _ = try driver.engine.execute(plan)
        driver.streams.removeAll()
        try driver.start(EngineDriver.prompt(200, seed: 2), sequence: 1, slot: 1)
    }

    @Test func impossiblePlansAreErrors() throws {
        let driver = try EngineDriver()
        var plan = StepPlan()
        plan.cacheOperations = [.clear(32)]
        #expect(throws: EngineError.self) { try driver.engine.execute(plan) }
        plan = StepPlan()
        plan.tokens = [99_999]
        plan.entries = [
            StepEntry(
                key: SequenceKey(1), sequence: 0, tokenRange: 0..<1, position: 0, sample: nil)
        ]
        #expect(throws: EngineError.self) { try driver.engine.execute(plan) }
    }

    @Test func threadsChangeBetweenSteps() throws {
        let driver = try EngineDriver(TestModel.configuration(threads: 2))
        try driver.start(prompt, sequence: 0, slot: 0)
        let expected = try alone(prompt, tokens: 7)
        for count in [1, 2, 1, 5, 0, 2] {
            driver.engine.setThreads(count)
            try driver.step()
        }
        #expect(driver.streams[0].generated == expected)
        #expect(driver.engine.lastTimes.decodeNanoseconds > 0)
        #expect(driver.engine.lastTimes.samplingNanoseconds > 0)
    }
}
