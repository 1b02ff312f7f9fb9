import Foundation
import InferenceTypes
import Scheduling
import Testing

@testable import LlamaEngine

/// The real model that engine tests run on. Absent where the bootstrap has not run.
enum TestModel {
    /// `SWITCHYARD_TEST_MODEL`, or the default model beside the `llama.pc` that the build found.
    static let path: String? = {
        let environment = ProcessInfo.processInfo.environment
        var candidates: [String] = []
        if let given = environment["SWITCHYARD_TEST_MODEL"] { candidates.append(given) }
        for folder in (environment["PKG_CONFIG_PATH"] ?? "").split(separator: ":") {
            candidates.append("\(folder)/../../models/SmolLM2-135M-Instruct-Q4_0.gguf")
        }
        return candidates.first { FileManager.default.isReadableFile(atPath: $0) }
    }()

    static let isPresent = path != nil
    static let absence: Comment =
        "no model: run deploy/bootstrap.sh, or set SWITCHYARD_TEST_MODEL to a GGUF file"

    static func configuration(
        cells: Int = 2048, sequences: Int = 32, slots: Int = 16, batch: Int = 256,
        threads: Int = 1, layout: CacheLayout = .shared
    ) -> LlamaEngineConfiguration {
        var configuration = LlamaEngineConfiguration(modelPath: path!)
        // 256 for each sequence, the least there is.
        configuration.cacheCells = layout == .shared ? cells : 256 * slots
        configuration.cacheLayout = layout
        configuration.maxSequences = sequences
        configuration.slots = slots
        configuration.batchTokens = batch
        configuration.microBatchTokens = batch
        configuration.threads = threads
        return configuration
    }
}

/// Drives an engine by hand-made plans, one step at a time.
final class EngineDriver {
    struct Stream {
        var sequence: SequenceID
        var slot: Int
        var length = 0
        var generated: [TokenID] = []
        var next: TokenID?
        var samples: [SampledToken] = []
    }

    let engine: LlamaCppEngine
    var streams: [Stream] = []
    var lastResult: StepResult?

    init(_ configuration: LlamaEngineConfiguration = TestModel.configuration()) throws {
        engine = try LlamaCppEngine(configuration)
    }

    /// Some text-like tokens, the same for the same seed.
    static func prompt(_ count: Int, seed: UInt64 = 1) -> [TokenID] {
        var generator = SeededGenerator(seed: seed)
        return (0..<count).map { _ in TokenID.random(in: 300..<5000, using: &generator) }
    }

    /// Starts a stream and computes its prompt in chunks, sampling at the end.
    @discardableResult
    func start(
        _ prompt: [TokenID], sequence: SequenceID, slot: Int, chunk: Int = 256,
        copyFrom source: (sequence: SequenceID, length: Int)? = nil,
        generated: [TokenID] = [],
        _ change: (inout SamplingParameters) -> Void = { $0.temperature = 0 }
    ) throws -> Int {
        var parameters = SamplingParameters()
        change(&parameters)
        var stream = Stream(sequence: sequence, slot: slot)
        stream.generated = generated
        let tokens = prompt + generated
        var plan = StepPlan()
        plan.samplerOperations = [
            .begin(
                slot: slot,
                SamplerStart(
                    key: SequenceKey(UInt64(slot)), parameters: parameters, prompt: prompt[...],
                    generated: generated[...]))
        ]
        if let source {
            plan.cacheOperations = [
                .copy(from: source.sequence, to: sequence, length: source.length)
            ]
            stream.length = source.length
        }
        while stream.length < tokens.count {
            let end = min(stream.length + chunk, tokens.count)
            plan.tokens = Array(tokens[stream.length..<end])
            let isLast = end == tokens.count
            plan.entries = [
                StepEntry(
                    key: SequenceKey(UInt64(slot)), sequence: sequence,
                    tokenRange: 0..<plan.tokens.count, position: stream.length,
                    sample: isLast ? SampleRequest(slot: slot, position: generated.count) : nil)
            ]
            let result = try engine.execute(plan)
            lastResult = result
            if let sample = result.samples.first { take(sample, &stream) }
            stream.length = end
            plan = StepPlan()
        }
        streams.append(stream)
        return streams.count - 1
    }

    /// Forgets a stream; what it computed stays in its sequence.
    func end(_ index: Int) throws {
        var plan = StepPlan()
        plan.samplerOperations = [.end(slot: streams.remove(at: index).slot)]
        _ = try engine.execute(plan)
    }

    /// One decode of all streams.
    func step() throws {
        var plan = StepPlan()
        for stream in streams {
            let at = plan.tokens.count
            plan.tokens.append(stream.next!)
            plan.entries.append(
                StepEntry(
                    key: SequenceKey(UInt64(stream.slot)), sequence: stream.sequence,
                    tokenRange: at..<at + 1, position: stream.length,
                    sample: SampleRequest(slot: stream.slot, position: stream.generated.count)))
        }
        let result = try engine.execute(plan)
        lastResult = result
        for index in streams.indices {
            streams[index].length += 1
            take(result.samples[index], &streams[index])
        }
    }

    private func take(_ sample: SampledToken, _ stream: inout Stream) {
        stream.next = sample.token
        stream.generated.append(sample.token)
        stream.samples.append(sample)
    }

    func run(steps: Int) throws {
        for _ in 0..<steps { try step() }
    }
}
