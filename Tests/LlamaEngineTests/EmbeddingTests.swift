import CLlama
import InferenceTypes
import Scheduling
import Testing

@testable import LlamaEngine

@Suite(.serialized, .enabled(if: TestModel.isPresent, TestModel.absence))
struct EmbeddingTests {
    private func engine(_ tokensMax: Int = 512) throws -> EngineDriver {
        var configuration = TestModel.configuration()
        configuration.device = try ComputeDevice.choose("cpu")
        configuration.embeddingTokens = tokensMax
        return try EngineDriver(configuration)
    }

    private func embedding(_ tokens: [TokenID], _ engine: LlamaCppEngine) throws -> [Float] {
        var input = EmbeddingInput(tokens)
        while true {
            if let vector = try engine.embed(&input) { return vector }
        }
    }

    /// llama.cpp's own mean pooling, the whole input in one batch.
    private func reference(_ inputs: [[TokenID]]) throws -> [[Float]] {
        let model = llama_model_load_from_file(TestModel.path!, llama_model_default_params())
        defer { llama_model_free(model) }
        var parameters = llama_context_default_params()
        parameters.n_ctx = 512
        parameters.n_batch = 512
        parameters.n_ubatch = 512
        parameters.n_threads = 1
        parameters.n_threads_batch = 1
        parameters.embeddings = true
        parameters.pooling_type = LLAMA_POOLING_TYPE_MEAN
        let context = try #require(llama_init_from_model(model, parameters))
        defer { llama_free(context) }
        return try inputs.map { input in
            llama_memory_clear(llama_get_memory(context), true)
            var batch = llama_batch_init(512, 0, 1)
            defer { llama_batch_free(batch) }
            for (index, token) in input.enumerated() {
                batch.token[index] = token
                batch.pos[index] = Int32(index)
                batch.n_seq_id[index] = 1
                batch.seq_id[index]![0] = 0
                batch.logits[index] = 1
            }
            batch.n_tokens = Int32(input.count)
            #expect(llama_decode(context, batch) == 0)
            let row = try #require(llama_get_embeddings_seq(context, 0))
            let vector = (0..<Int(llama_model_n_embd_out(model))).map { row[$0] }
            let length = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
            return vector.map { $0 / length }
        }
    }

    private func cosine(_ left: [Float], _ right: [Float]) -> Float {
        zip(left, right).reduce(0) { $0 + $1.0 * $1.1 }
    }

    @Test func equalsLlamaCppsOwnMeanPooling() throws {
        let engine = try engine().engine
        // A chunk has 64 tokens.
        let inputs = [1, 2, 63, 64, 65, 200].map { EngineDriver.prompt($0, seed: UInt64($0)) }
        for (input, expected) in zip(inputs, try reference(inputs)) {
            let vector = try embedding(input, engine)
            #expect(vector.count == engine.embedding?.dimensions)
            #expect(abs(cosine(vector, vector) - 1) < 1e-5)
            #expect(cosine(vector, expected) > 0.999, "\(input.count) tokens")
        }
        let far = cosine(try embedding(inputs[3], engine), try embedding(inputs[5], engine))
        #expect(far < 0.999, "different texts are told apart")
    }

    @Test func equalInputsHaveEqualVectors() throws {
        let engine = try engine().engine
        let input = EngineDriver.prompt(100)
        let first = try embedding(input, engine)
        _ = try embedding(EngineDriver.prompt(10, seed: 9), engine)
        #expect(try embedding(input, engine) == first)
    }

    /// A context of its own: steps with embeddings in between give the same tokens and logits.
    @Test func runningStreamsAreNotDisturbed() throws {
        func run(embeds: Bool) throws -> [SampledToken] {
            let driver = try engine()
            var input = EmbeddingInput(EngineDriver.prompt(500, seed: 3))
            try driver.start(EngineDriver.prompt(40), sequence: 0, slot: 0) {
                $0.temperature = 0
                $0.topLogprobs = 5
            }
            for _ in 0..<12 {
                if embeds, input.done < input.tokens.count { _ = try driver.engine.embed(&input) }
                try driver.step()
            }
            return driver.streams[0].samples
        }
        #expect(try run(embeds: true) == run(embeds: false))
    }

    @Test func noneIsMadeUnlessAskedFor() throws {
        let driver = try EngineDriver()
        #expect(driver.engine.embedding == nil)
        var input = EmbeddingInput([1])
        #expect(throws: EngineError.self) { try driver.engine.embed(&input) }
    }

    @Test func theContextIsBounded() throws {
        #expect(try engine(1_000_000).engine.embedding?.tokensMax == 8_192)
    }
}
