import InferenceTypes
import Scheduling
import Testing

@testable import LlamaEngine

/// Grammars on the real model.
@Suite(.serialized, .enabled(if: TestModel.isPresent, TestModel.absence))
struct GrammarTests {
    private let grammar = #"root ::= "{\"n\": " [0-9]{3,5} "}""#

    private func generate(
        _ driver: EngineDriver, slot: Int, generated: [TokenID] = [],
        _ change: (inout SamplingParameters) -> Void
    ) throws -> [TokenID] {
        try driver.start(
            EngineDriver.prompt(20), sequence: SequenceID(slot), slot: slot, generated: generated,
            change)
        for _ in 0..<30 where !driver.streams[0].samples.last!.isEndOfGeneration {
            try driver.step()
        }
        let stream = driver.streams[0]
        driver.streams.removeAll()
        #expect(stream.samples.last!.isEndOfGeneration)
        return stream.generated
    }

    @Test func outputMatchesAndResumes() throws {
        let driver = try EngineDriver()
        for (slot, temperature) in [Float(0), 1].enumerated() {
            let change: (inout SamplingParameters) -> Void = {
                $0.temperature = temperature
                $0.seed = 3
                $0.grammar = self.grammar
            }
            let tokens = try generate(driver, slot: slot, change)
            let text = try ReferenceLoop.text(Array(tokens.dropLast()))
            #expect(text.wholeMatch(of: /\{"n": [0-9]{3,5}\}/) != nil, "\(text)")
            // Another sampler, told the first tokens, goes on alike.
            let resumed = try generate(
                driver, slot: slot + 4, generated: Array(tokens[..<3]), change)
            #expect(resumed == tokens)
        }
    }

    @Test func grammarOutranksIgnoringTheEnd() throws {
        let driver = try EngineDriver()
        let tokens = try generate(driver, slot: 0) {
            $0.temperature = 0
            $0.grammar = "root ::= \"yes\""
            $0.ignoreEndOfSequence = true
            $0.minTokens = 20
        }
        #expect(try ReferenceLoop.text(Array(tokens.dropLast())) == "yes")
    }

    @Test(arguments: ["root ::= \"unfinished", "root ::= root", "root ::= <no such token>"])
    func badGrammarsFailOnlyTheirRequest(_ text: String) throws {
        let driver = try EngineDriver()
        try driver.start(EngineDriver.prompt(20), sequence: 0, slot: 0)
        let expected = driver.streams[0].generated
        try driver.start(EngineDriver.prompt(20), sequence: 1, slot: 1) { $0.grammar = text }
        #expect(driver.lastResult?.samplerFailures.map(\.slot) == [1])
        #expect(driver.lastResult?.samplerFailures.first?.message.hasPrefix("grammar:") == true)
        try driver.step()
        #expect(driver.streams[0].generated.count == 2)
        #expect(driver.streams[0].generated[0] == expected[0])
        #expect(driver.lastResult?.samplerFailures.map(\.slot) == [1])
    }

    @Test func resumedOutputThatDoesNotMatchFails() throws {
        let driver = try EngineDriver()
        try driver.start(
            EngineDriver.prompt(20), sequence: 0, slot: 0, generated: [500, 501]
        ) { $0.grammar = self.grammar }
        #expect(driver.lastResult?.samplerFailures.map(\.slot) == [0])
    }
}
