import InferenceTypes
import Testing

@testable import Gateway

@Suite struct ResumptionTests {
    /// 3 tokens of prompt, 2 generated.
    private func request(
        _ change: (inout SamplingParameters) -> Void = { _ in }
    ) -> GenerationRequest {
        var sampling = SamplingParameters()
        sampling.temperature = 0.7
        sampling.maxTokens = 10
        sampling.minTokens = 1
        sampling.seed = 42
        change(&sampling)
        var request = GenerationRequest(id: "a", prompt: [1, 2, 3, 4, 5], sampling: sampling)
        request.resumedTokens = 2
        return request
    }

    @Test func aFreshRequestIsSentAsItIs() {
        var fresh = request { $0.grammar = "root ::= \"a\"" }
        fresh.resumedTokens = 0
        #expect(Resumption.foreign(fresh, isSeedPromised: true) == fresh)
    }

    @Test func whatWasGeneratedBecomesPrompt() throws {
        let resumed = try #require(Resumption.foreign(request(), isSeedPromised: false))
        #expect(resumed.prompt == [1, 2, 3, 4, 5])
        #expect(resumed.resumedTokens == 0)
        #expect(resumed.sampling.maxTokens == 8)
        #expect(resumed.sampling.minTokens == 0)
        // Not the answer's first random numbers again.
        #expect(resumed.sampling.seed != 42)
        let again = Resumption.foreign(request(), isSeedPromised: false)
        #expect(again == resumed)
    }

    @Test func noLimitStaysNoLimit() throws {
        let resumed = try #require(
            Resumption.foreign(request { $0.maxTokens = nil }, isSeedPromised: false))
        #expect(resumed.sampling.maxTokens == nil)
    }

    @Test func aPromisedSeedForbidsItUnlessNothingIsDrawn() {
        #expect(Resumption.foreign(request(), isSeedPromised: true) == nil)
        #expect(Resumption.foreign(request { $0.temperature = 0 }, isSeedPromised: true) != nil)
    }

    @Test(arguments: 0..<4) func whatLooksBackForbidsIt(which: Int) {
        let looking = request { sampling in
            sampling.temperature = 0
            switch which {
            case 0: sampling.grammar = "root ::= \"a\"+"
            case 1: sampling.frequencyPenalty = 0.1
            case 2: sampling.presencePenalty = -0.1
            default: sampling.repetitionPenalty = 1.1
            }
        }
        #expect(Resumption.foreign(looking, isSeedPromised: false) == nil)
    }

    @Test func biasesAndLogprobsDoNotLookBack() {
        let plain = request { sampling in
            sampling.temperature = 0
            sampling.topLogprobs = 5
            sampling.logitBias = [TokenBias(token: 1, bias: 2)]
            sampling.stopTokens = [9]
        }
        #expect(Resumption.foreign(plain, isSeedPromised: true) != nil)
    }
}
