import CLlama
import Foundation
import InferenceTypes
import Logging
import Testing
import Tokenization

@testable import Worker

/// A worker on the real model. One at a time: each loads it anew.
@Suite(.serialized, .enabled(if: RealModel.path != nil, RealModel.absence), .timeLimit(.minutes(5)))
struct LlamaWorkerTests {
    private static let texts = [
        "The capital of France is",
        "Once upon a time there was a gateway that",
        "def fibonacci(n):\n    if n < 2:\n        return n\n",
        "春の朝、彼は静かに",
        "Emoji 🎉🚀 make people",
    ]

    private func start(
        slots: Int, _ change: (inout WorkerConfiguration) -> Void = { _ in }
    ) async throws -> WorkerRuntime {
        var settings = WorkerConfiguration.LlamaSettings(modelPath: try #require(RealModel.path))
        settings.threads = 1
        settings.contextTokens = 4_096
        var configuration = WorkerConfiguration(
            engine: .llama(settings), listen: .tcp(host: "127.0.0.1", port: 0))
        configuration.slots = slots
        change(&configuration)
        var logger = Logger(label: "test")
        logger.logLevel = .error
        return try await WorkerRuntime.start(configuration, logger: logger)
    }

    private func requests(tokens: Int) throws -> [GenerationRequest] {
        let vocabulary = try Vocabulary(path: try #require(RealModel.path))
        return try Self.texts.enumerated().map { number, text in
            var sampling = SamplingParameters()
            sampling.temperature = 0
            sampling.maxTokens = tokens
            sampling.ignoreEndOfSequence = true
            let prompt = try vocabulary.tokenize(text, addSpecial: true, parseSpecial: false)
            return GenerationRequest(
                id: "text-\(number)", prompt: prompt, sampling: sampling)
        }
    }

    /// The same library without scheduler or worker: same chunks, alone in the batch.
    @Test func greedyOutputEqualsAPlainLoop() async throws {
        // Longer than the prompts: a smaller one would be joined with what it leaves.
        let chunk = 64
        let worker = try await start(slots: 2) {
            $0.prefillChunkTokens = chunk
            $0.reusesPrefixes = false
        }
        let client = try await EngineClient.connect(to: worker.listenAddress)
        for request in try requests(tokens: 24) {
            let outcome = try await client.generate(request)
            let reference = try PlainLoop.greedy(request.prompt, tokens: 24, chunk: chunk)
            #expect(outcome.tokens == reference, "\(request.id)")
            #expect(outcome.finish?.reason == .maxTokens)
        }
        await worker.shutdown()
    }

    @Test func eightAtOnceAllFinish() async throws {
        let worker = try await start(slots: 8)
        let client = try await EngineClient.connect(to: worker.listenAddress)
        let texts = try requests(tokens: 24)
        var streams: [EngineClient.Stream] = []
        for number in 0..<8 {
            var request = texts[number % texts.count]
            request.id = "stream-\(number)"
            request.sampling.topLogprobs = number % 2 == 0 ? 2 : nil
            streams.append(try await client.start(request))
        }
        for (number, stream) in streams.enumerated() {
            let outcome = try await stream.outcome.get()
            #expect(outcome.tokens.count == 24)
            #expect(outcome.finish?.usage.completionTokens == 24)
            #expect(outcome.logprobs.count == (number % 2 == 0 ? 24 : 0))
        }
        // The report follows the last token by a step; the test's time limit is the bound.
        while try await client.loads().runningRequests > 0 {}
        #expect(worker.engineTime.decodeNanoseconds > 0)
        #expect(worker.engineTime.decodeNanoseconds <= worker.engineTime.busyNanoseconds)
        await worker.shutdown()
    }

    /// As a gateway asks for it whose first worker died: grammar, penalties and random numbers
    /// stand where they stood.
    @Test func generationGoesOnFromEveryToken() async throws {
        let worker = try await start(slots: 2) { $0.reusesPrefixes = false }
        let client = try await EngineClient.connect(to: worker.listenAddress)
        var request = try requests(tokens: 40)[0]
        request.sampling.temperature = 0.9
        request.sampling.seed = 5
        request.sampling.frequencyPenalty = 0.4
        request.sampling.ignoreEndOfSequence = false
        request.sampling.grammar = #"""
            root ::= "[" item ("," item)+ "]"
            item ::= [0-9] [0-9]* | "\"" [a-z ]+ "\""
            """#
        let whole = try await client.generate(request)
        #expect(whole.tokens.count > 8)
        for generated in 1..<whole.tokens.count {
            var rest = request
            rest.id = "from-\(generated)"
            rest.prompt += whole.tokens[..<generated]
            rest.resumedTokens = generated
            let outcome = try await client.generate(rest)
            #expect(outcome.tokens == Array(whole.tokens[generated...]), "from \(generated)")
            #expect(outcome.finish?.reason == whole.finish?.reason)
        }
        await worker.shutdown()
    }

    @Test func aSecondRequestFindsThePrefix() async throws {
        let worker = try await start(slots: 2)
        let client = try await EngineClient.connect(to: worker.listenAddress)
        var request = try requests(tokens: 4)[2]
        #expect(try await client.generate(request).finish?.usage.cachedTokens == 0)
        request.id = "again"
        let cached = try await client.generate(request).finish?.usage.cachedTokens ?? 0
        #expect(cached >= request.prompt.count / 2)
        await worker.shutdown()
    }
}

/// Where the tests' model is.
enum RealModel {
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

    static let absence: Comment =
        "no model: run deploy/bootstrap.sh, or set SWITCHYARD_TEST_MODEL to a GGUF file"
}

/// llama.cpp used the plain way: one sequence, its own greedy sampler, the prompt in chunks.
private enum PlainLoop {
    struct Failure: Error {}

    static func greedy(_ prompt: [TokenID], tokens: Int, chunk: Int) throws -> [TokenID] {
        let model = llama_model_load_from_file(RealModel.path!, llama_model_default_params())
        defer { llama_model_free(model) }
        var parameters = llama_context_default_params()
        parameters.n_ctx = 4_096
        parameters.n_threads = 1
        parameters.n_threads_batch = 1
        guard let context = llama_init_from_model(model, parameters) else { throw Failure() }
        defer { llama_free(context) }
        let sampler = llama_sampler_init_greedy()
        defer { llama_sampler_free(sampler) }
        for start in stride(from: 0, to: prompt.count, by: chunk) {
            try decode(context, Array(prompt[start..<min(start + chunk, prompt.count)]))
        }
        var output: [TokenID] = []
        while true {
            output.append(llama_sampler_sample(sampler, context, -1))
            if output.count == tokens { return output }
            try decode(context, [output[output.count - 1]])
        }
    }

    private static func decode(_ context: OpaquePointer, _ tokens: [TokenID]) throws {
        var tokens = tokens
        let count = Int32(tokens.count)
        let code = tokens.withUnsafeMutableBufferPointer {
            llama_decode(context, llama_batch_get_one($0.baseAddress, count))
        }
        guard code == 0 else { throw Failure() }
    }
}
