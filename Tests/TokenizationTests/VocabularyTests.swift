import Foundation
import InferenceTypes
import Testing

@testable import Tokenization

@Suite struct VocabularyTests {
    @Test func readsTheModelsFacts() throws {
        let vocabulary = try TestModel.vocabulary()
        #expect(vocabulary.architecture == "llama")
        #expect(vocabulary.contextLength == 8192)
        #expect(vocabulary.size == 49152)
        #expect(vocabulary.name.lowercased().contains("smollm2"))
        let end = try #require(vocabulary.endOfSequence)
        #expect(vocabulary.isEndOfGeneration(end))
        #expect(vocabulary.pieces.spelling(end).elementsEqual("<|im_end|>".utf8))
        #expect(vocabulary.pieces.text(end).isEmpty)
        #expect(vocabulary.endOfGeneration == vocabulary.endOfGeneration.sorted())
    }

    @Test func refusesWhatIsNotAModel() throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "\(UUID()).gguf").path()
        #expect(throws: TokenizationError.self) { try Vocabulary(path: path) }
        let garbage = String(repeating: "GGUF\u{3}\0\0\0", count: 99)
        for content in ["", "GGUF", "this is not a model", garbage] {
            try Data(content.utf8).write(to: URL(filePath: path))
            defer { try? FileManager.default.removeItem(atPath: path) }
            #expect(throws: TokenizationError.self) { try Vocabulary(path: path) }
        }
    }

    @Test(arguments: seeds(60)) func tokensSpellTheText(seed: UInt64) throws {
        let vocabulary = try TestModel.vocabulary()
        var random = RandomText(seed: seed)
        let text = random.text(fragments: 60)
        let tokens = try vocabulary.tokenize(text, addSpecial: false)
        #expect(vocabulary.pieces.text(of: tokens) == text)
    }

    @Test(arguments: seeds(60)) func streamedTokensSpellTheText(seed: UInt64) throws {
        let vocabulary = try TestModel.vocabulary()
        var random = RandomText(seed: seed)
        let text = random.text(fragments: 60)
        var assembler = TextAssembler(pieces: vocabulary.pieces)
        var output: [UInt8] = []
        for token in try vocabulary.tokenize(text, addSpecial: false) {
            _ = assembler.append(token, to: &output)
            #expect(String(validating: output, as: UTF8.self) != nil)
        }
        _ = assembler.finish(to: &output)
        #expect(output.elementsEqual(text.utf8))
    }

    @Test func showsTokensAsTextAndAsBytes() throws {
        let vocabulary = try TestModel.vocabulary()
        let tokens = try vocabulary.tokenize("👍🏽日", addSpecial: false)
        #expect(tokens.flatMap { Array(vocabulary.pieces.spelling($0)) } == Array("👍🏽日".utf8))
        // None of the bytes of an emoji is valid alone.
        #expect(tokens.contains { vocabulary.pieces.displayText($0).contains("\u{FFFD}") })
        #expect(vocabulary.pieces.displayText(vocabulary.endOfSequence ?? -1) == "<|im_end|>")
        #expect(vocabulary.pieces.displayText(-1) == "")
    }

    @Test func spellingsOfControlTokensAreTextUnlessAskedFor() throws {
        let vocabulary = try TestModel.vocabulary()
        let end = try #require(vocabulary.endOfSequence)
        #expect(
            try vocabulary.tokenize("<|im_end|>", addSpecial: false, parseSpecial: true) == [end])
        let plain = try vocabulary.tokenize("<|im_end|>", addSpecial: false)
        #expect(plain.allSatisfy { !vocabulary.pieces.isControl($0) })
        #expect(vocabulary.pieces.text(of: plain) == "<|im_end|>")
    }

    @Test func refusesTextOverTheLimit() throws {
        let path = try #require(TestModel.path)
        var limits = TokenizationLimits()
        limits.maximumTextBytes = 10
        let vocabulary = try Vocabulary(path: path, limits: limits)
        #expect(try vocabulary.tokenize("0123456789", addSpecial: false).count > 0)
        #expect(throws: TokenizationError.textTooLong(bytes: 11, maximumBytes: 10)) {
            try vocabulary.tokenize("01234567890", addSpecial: false)
        }
        let template = try ChatTemplate(vocabulary: vocabulary)
        #expect(throws: TokenizationError.textTooLong(bytes: 11, maximumBytes: 10)) {
            try template.render(messages: [.init(role: .user, content: "01234567890")])
        }
        let prompt = try template.render(messages: [.init(role: .user, content: "hello")])
        #expect(throws: TokenizationError.self) { try vocabulary.tokenize(prompt) }
    }

    @Test func emptyTextHasNoTokens() throws {
        #expect(try TestModel.vocabulary().tokenize("", addSpecial: false).isEmpty)
    }

    /// Text that makes some tokenizers quadratic, or overflow the stack in a regular expression.
    @Test(arguments: ["a", " ", "1", "\n", "あ", "👍", "'", "<|im_end|>", "!"])
    func longRunsAreTokenizedInTime(unit: String) throws {
        let vocabulary = try TestModel.vocabulary()
        let text = String(repeating: unit, count: 200_000 / unit.utf8.count)
        let clock = ContinuousClock()
        var tokens: [TokenID] = []
        let time = try clock.measure { tokens = try vocabulary.tokenize(text, addSpecial: false) }
        #expect(vocabulary.pieces.text(of: tokens) == text)
        #expect(time < .seconds(5))
        print("tokenize 200 KB of \(unit.debugDescription): \(time)")
    }

    @Test func eightThreadsGetTheSameTokens() async throws {
        let vocabulary = try TestModel.vocabulary()
        let template = try TestModel.template()
        var random = RandomText(seed: 8)
        let texts = (0..<40).map { _ in random.text(fragments: 60) }
        @Sendable func work() throws -> [[TokenID]] {
            try texts.map { text in
                let messages = [TemplateMessage(role: .user, content: text)]
                return try vocabulary.tokenize(try template.render(messages: messages))
                    + vocabulary.tokenize(text, addSpecial: false)
            }
        }
        let expected = try work()
        let results = Results()
        let threads = (0..<8).map { _ in
            Thread { results.append(Result { try work() }) }
        }
        threads.forEach { $0.start() }
        for result in await results.wait(for: 8) { #expect(try result.get() == expected) }
    }
}

/// What the threads of a test came to.
private final class Results: Sendable {
    private let stream: AsyncStream<Result<[[TokenID]], any Error>>
    private let continuation: AsyncStream<Result<[[TokenID]], any Error>>.Continuation

    init() {
        (stream, continuation) = AsyncStream.makeStream()
    }

    func append(_ result: Result<[[TokenID]], any Error>) { continuation.yield(result) }

    func wait(for count: Int) async -> [Result<[[TokenID]], any Error>] {
        var list: [Result<[[TokenID]], any Error>] = []
        for await result in stream {
            list.append(result)
            if list.count == count { break }
        }
        return list
    }
}
