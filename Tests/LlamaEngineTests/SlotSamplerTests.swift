import Glibc
import InferenceTypes
import Scheduling
import Testing

@testable import LlamaEngine

/// Penalties, biases, suppression and log probabilities on hand-made rows; no model.
struct SlotSamplerTests {
    private let facts = VocabularyFacts(
        size: 8, endOfGenerationTokens: [7],
        isEndOfGeneration: (0..<8).map { $0 == 7 })

    private func sampler(
        prompt: [TokenID] = [], generated: [TokenID] = [],
        _ change: (inout SamplingParameters) -> Void
    ) -> SlotSampler {
        var parameters = SamplingParameters()
        parameters.temperature = 0
        change(&parameters)
        let start = SamplerStart(
            key: SequenceKey(1), parameters: parameters, prompt: prompt[...],
            generated: generated[...])
        let nowhere = OpaquePointer(bitPattern: 8)!  // never used: no grammar
        return SlotSampler(start, facts: facts, source: GrammarSource(vocabulary: nowhere))
    }

    private func sample(
        _ sampler: SlotSampler, _ logits: [Float], position: Int = 0
    ) -> SampledToken {
        var scratch = SamplerScratch(vocabularySize: logits.count)
        return DrawTests.withRow(logits) {
            sampler.sample($0, position: position, facts: facts, scratch: &scratch)
        }
    }

    @Test func frequencyCountsAndPresenceDoesNot() {
        let logits: [Float] = [3, 2.5, 0, 0, 0, 0, 0, 0]
        let frequency = sampler { $0.frequencyPenalty = 0.2 }
        #expect((0..<5).map { sample(frequency, logits, position: $0).token } == [0, 0, 0, 1, 0])
        let presence = sampler { $0.presencePenalty = 0.4 }
        #expect((0..<3).map { sample(presence, logits, position: $0).token } == [0, 0, 0])
        let strong = sampler { $0.presencePenalty = 0.6 }
        #expect((0..<3).map { sample(strong, logits, position: $0).token } == [0, 1, 0])
    }

    @Test func penaltiesGoOnAfterResuming() {
        let logits: [Float] = [3, 2.5, 0, 0, 0, 0, 0, 0]
        let resumed = sampler(prompt: [0], generated: [0, 0, 0]) { $0.frequencyPenalty = 0.2 }
        #expect(sample(resumed, logits, position: 3).token == 1)
    }

    @Test func repetitionCountsThePromptAndDampensBothSigns() {
        let positive: [Float] = [3, 2.5, 0, 0, 0, 0, 0, 0]
        let first = sampler(prompt: [0]) { $0.repetitionPenalty = 1.5 }
        #expect(sample(first, positive).token == 1)
        let negative: [Float] = [-1, -1.2, -9, -9, -9, -9, -9, -9]
        let second = sampler(prompt: [0]) { $0.repetitionPenalty = 1.5 }
        #expect(sample(second, negative).token == 1)
    }

    @Test func biasMovesTheChoiceAndIgnoresForeignTokens() {
        let logits: [Float] = [3, 2.5, 0, 0, 0, 0, 0, 0]
        let biased = sampler {
            $0.logitBias = [
                TokenBias(token: 5, bias: 100), TokenBias(token: 99, bias: 100),
            ]
        }
        #expect(sample(biased, logits).token == 5)
    }

    @Test func endsAreSuppressedUntilTheMinimum() {
        let logits: [Float] = [0, 1, 2, 0, 0, 0, 0, 9]
        let early = sampler {
            $0.minTokens = 2
            $0.stopTokens = [2]
        }
        #expect(sample(early, logits, position: 0).token == 1)
        #expect(sample(early, logits, position: 1).token == 1)
        let end = sample(early, logits, position: 2)
        #expect(end.token == 7 && end.isEndOfGeneration)
        let endless = sampler { $0.ignoreEndOfSequence = true }
        #expect(sample(endless, logits, position: 9).token == 2)
    }

    @Test func logprobsAreTheModelsOwn() throws {
        let logits: [Float] = [3, 2.5, 0, 0, 0, 0, 0, 0]
        let sampler = sampler {
            $0.topLogprobs = 3
            $0.logitBias = [TokenBias(token: 5, bias: 100)]
        }
        let sampled = sample(sampler, logits)
        let logprob = try #require(sampled.logprob)
        #expect(sampled.token == 5 && logprob.token == 5)
        #expect(logprob.top.map(\.token) == [0, 1, 2])
        let normaliser = logits.map { Double($0) }.logSumExp
        #expect(abs(Double(logprob.logprob) - (0 - normaliser)) < 1e-5)
        #expect(abs(Double(logprob.top[0].logprob) - (3 - normaliser)) < 1e-5)
    }

    @Test func drawsDependOnSeedAndPositionOnly() {
        let logits: [Float] = [1, 1.1, 0.9, 1, 1, 0.8, 1, -9]
        func run(_ seed: UInt64, from position: Int) -> [TokenID] {
            let sampler = sampler {
                $0.temperature = 1
                $0.seed = seed
            }
            return (position..<30).map { sample(sampler, logits, position: $0).token }
        }
        let whole = run(1, from: 0)
        #expect(run(1, from: 0) == whole)
        #expect(run(1, from: 11) == Array(whole[11...]))
        #expect(run(2, from: 0) != whole)
    }

    @Test func parallelSamplingChangesNothing() {
        let logits = DrawTests.logits(count: 999, shape: 0, seed: 5)
        let facts = VocabularyFacts(
            size: 999, endOfGenerationTokens: [],
            isEndOfGeneration: Array(repeating: false, count: 999))
        func run(threads: Int) -> [TokenID] {
            var pool = SamplerPool(slots: 16, threads: threads, vocabularySize: 999)
            for slot in 0..<16 {
                pool[slot] = sampler {
                    $0.temperature = 1
                    $0.topP = slot % 2 == 0 ? 0.9 : 1
                    $0.seed = UInt64(slot)
                }
            }
            let rows = UnsafeMutablePointer<Float>.allocate(capacity: 16 * logits.count)
            defer { rows.deallocate() }
            let jobs = (0..<16).map { index in
                let base = rows + index * logits.count
                base.initialize(from: logits, count: logits.count)
                let row = LogitRow(base: base, count: logits.count)
                return SamplingJob(slot: index, position: 3, batchIndex: 0, row: row)
            }
            return pool.sample(jobs, facts: facts, threads: threads).map(\.token)
        }
        #expect(run(threads: 1) == run(threads: 4))
    }
}

extension [Double] {
    fileprivate var logSumExp: Double {
        let largest = self.max()!
        return largest + naturalLogarithm(reduce(0) { $0 + exp($1 - largest) })
    }
}
