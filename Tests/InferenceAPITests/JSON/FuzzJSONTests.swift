import InferenceTypes
import Testing

@testable import InferenceAPI

@Suite struct FuzzJSONTests {
    @Test func replaysTheCorpus() throws {
        let corpus = try Fixture.corpus("json")
        #expect(corpus.count >= 40)
        for file in corpus { fuzzJSON(file.bytes) }
    }

    /// A few thousand mutants of the corpus, so that the harness itself is exercised everywhere.
    @Test func survivesMutants() throws {
        let corpus = try Fixture.corpus("json").map(\.bytes)
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<5_000 {
            var bytes = corpus.randomElement(using: &generator)!
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let index = Int.random(in: 0...bytes.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0 where index < bytes.count:
                    bytes[index] = UInt8.random(
                        in: 0...255, using: &generator)
                case 1 where index < bytes.count: bytes.remove(at: index)
                default:
                    bytes.insert(
                        Array("{}[],:\"\\u0nt1e.-".utf8).randomElement(using: &generator)!,
                        at: index)
                }
            }
            fuzzJSON(bytes)
        }
    }
}
