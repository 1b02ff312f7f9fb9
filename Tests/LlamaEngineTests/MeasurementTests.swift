import Foundation
import InferenceTypes
import Scheduling
import Testing

@testable import LlamaEngine

/// Prints figures instead of checking facts; runs only when asked:
/// `SWITCHYARD_MEASURE=1 THREADS=2 POLLING=0 swift test --filter MeasurementTests`.
@Suite(
    .serialized,
    .enabled(
        if: ProcessInfo.processInfo.environment["SWITCHYARD_MEASURE"] != nil,
        "set SWITCHYARD_MEASURE=1 to measure"))
struct MeasurementTests {
    private static func seconds(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    /// Microseconds of this thread's CPU time per call.
    private static func microseconds(_ times: Int, _ body: () -> Void) -> Double {
        body()
        let start = seconds(CLOCK_THREAD_CPUTIME_ID)
        for _ in 0..<times { body() }
        return (seconds(CLOCK_THREAD_CPUTIME_ID) - start) / Double(times) * 1e6
    }

    /// A row shaped like a language model's: a bell of width 2.5 and a few tokens far above it.
    static func modelLike(_ count: Int) -> [Float] {
        var generator = SeededGenerator(seed: 3)
        return (0..<count).map { token in
            let bell = (0..<6).reduce(Float(0)) { sum, _ in
                sum + Float.random(in: -1...1, using: &generator)
            }
            return bell * 1.8 + (token % 997 == 5 ? 9 : 0)
        }
    }

    @Test(arguments: [49_152, 128_256])
    func samplingCost(_ vocabulary: Int) {
        var cases: [(String, SamplingParameters)] = []
        func add(_ name: String, _ change: (inout SamplingParameters) -> Void) {
            var parameters = SamplingParameters()
            change(&parameters)
            cases.append((name, parameters))
        }
        add("greedy") { $0.temperature = 0 }
        add("temperature 1") { _ in }
        add("top_p 0.9") { $0.topP = 0.9 }
        add("top_p 0.99, temperature 1.5") { ($0.topP, $0.temperature) = (0.99, 1.5) }
        add("top_k 40, top_p 0.95") { ($0.topK, $0.topP) = (40, 0.95) }
        add("top_k 1000") { $0.topK = 1000 }
        add("min_p 0.05") { $0.minP = 0.05 }
        add("greedy, 5 logprobs") { ($0.temperature, $0.topLogprobs) = (0, 5) }
        add("temperature 1, all penalties") {
            ($0.frequencyPenalty, $0.presencePenalty, $0.repetitionPenalty) = (0.1, 0.1, 1.1)
        }
        let logits = Self.modelLike(vocabulary)
        let facts = VocabularyFacts(
            size: vocabulary, endOfGenerationTokens: [2],
            isEndOfGeneration: (0..<vocabulary).map { $0 == 2 })
        var scratch = SamplerScratch(vocabularySize: vocabulary)
        let source = GrammarSource(vocabulary: OpaquePointer(bitPattern: 8)!)
        var values = logits
        for (name, parameters) in cases {
            let history = (0..<500).map { TokenID($0 * 7) }
            let sampler = SlotSampler(
                SamplerStart(
                    key: SequenceKey(0), parameters: parameters, prompt: history[...],
                    generated: history[...]), facts: facts, source: source)
            var position = 0
            let time = values.withUnsafeMutableBufferPointer { buffer in
                let row = LogitRow(base: buffer.baseAddress!, count: vocabulary)
                return Self.microseconds(200) {
                    _ = sampler.sample(row, position: position, facts: facts, scratch: &scratch)
                    position += 1
                }
            }
            print("sampling, \(vocabulary) tokens, \(name): \(Int(time.rounded())) us")
            values = logits
        }
    }

    @Test(.enabled(if: TestModel.isPresent, TestModel.absence), arguments: [false, true])
    func decodeSpeed(_ isNucleus: Bool) throws {
        let environment = ProcessInfo.processInfo.environment
        let threads = Int(environment["THREADS"] ?? "2") ?? 2
        let polling = Int(environment["POLLING"] ?? "0") ?? 0
        for batch in [1, 4, 8, 16] {
            var configuration = TestModel.configuration(threads: threads)
            configuration.polling = polling
            let driver = try EngineDriver(configuration)
            for slot in 0..<batch {
                try driver.start(
                    EngineDriver.prompt(64, seed: UInt64(slot)), sequence: SequenceID(slot),
                    slot: slot
                ) {
                    $0.temperature = isNucleus ? 0.8 : 0
                    $0.topP = 0.95
                }
            }
            try driver.run(steps: 3)
            let before = driver.engine.totalTimes
            let wall = Self.seconds(CLOCK_MONOTONIC)
            let cpu = Self.seconds(CLOCK_PROCESS_CPUTIME_ID)
            let steps = 40
            try driver.run(steps: steps)
            let wallSeconds = Self.seconds(CLOCK_MONOTONIC) - wall
            let cpuSeconds = Self.seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu
            let times = driver.engine.totalTimes
            let decode = Double(times.decodeNanoseconds - before.decodeNanoseconds) * 1e-9
            let sampling = Double(times.samplingNanoseconds - before.samplingNanoseconds) * 1e-9
            let tokens = Double(steps * batch)
            print(
                "decode, \(isNucleus ? "top_p" : "greedy"), \(threads) threads, polling \(polling), batch \(batch):",
                "\(Int(tokens / wallSeconds)) tokens/s,",
                "\(Int(tokens / cpuSeconds)) tokens per CPU second,",
                "\(Int(decode / wallSeconds * 1000)) per mille in llama_decode,",
                "sampling \(Int(sampling / Double(steps) * 1e6)) us a step")
        }
    }
}
