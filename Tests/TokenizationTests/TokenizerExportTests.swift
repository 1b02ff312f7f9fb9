import Foundation
import InferenceTypes
import Testing

@testable import Tokenization

/// The files' syntax and facts. That their tokens are libllama's is checked with Hugging Face's own
/// library: Tests/Clients/interop_tokenizer.py.
@Suite struct TokenizerExportTests {
    private static let export = TestModel.path.map { path in
        Result { try TokenizerExport(modelPath: path) }
    }

    private func object(_ name: String) throws -> [String: Any] {
        let export = try #require(Self.export).get()
        let file = try #require(export.files.first { $0.name == name })
        let json = try JSONSerialization.jsonObject(with: Data(file.bytes))
        return try #require(json as? [String: Any])
    }

    @Test func theModelListsEveryTokenUnderItsNumber() throws {
        let vocabulary = try TestModel.vocabulary()
        let model = try #require(try object("tokenizer.json")["model"] as? [String: Any])
        let tokens = try #require(model["vocab"] as? [String: Int])
        #expect(Set(tokens.values) == Set(0..<vocabulary.size))
        let merges = try #require(model["merges"] as? [String])
        #expect(merges.count > 40_000)
        #expect(model["ignore_merges"] as? Bool == false)
    }

    @Test func specialTokensAreThoseOfTheVocabulary() throws {
        let vocabulary = try TestModel.vocabulary()
        let added = try #require(
            try object("tokenizer.json")["added_tokens"] as? [[String: Any]])
        #expect(added.count == vocabulary.specialTokens.tokens.count)
        for entry in added {
            let id = TokenID(try #require(entry["id"] as? Int))
            let content = try #require(entry["content"] as? String)
            #expect(vocabulary.pieces.spelling(id).elementsEqual(content.utf8))
            #expect(entry["special"] as? Bool == vocabulary.pieces.isControl(id))
        }
    }

    @Test func theConfigurationHasTheTemplateAndTheEndTokens() throws {
        let vocabulary = try TestModel.vocabulary()
        let configuration = try object("tokenizer_config.json")
        #expect(configuration["chat_template"] as? String == (try TestModel.template()).source)
        #expect(configuration["eos_token"] as? String == "<|im_end|>")
        #expect(configuration["add_bos_token"] as? Bool == vocabulary.addsBeginOfSequence)
        let model = try object("config.json")
        #expect(model["eos_token_id"] as? [Int] == vocabulary.endOfGeneration.map(Int.init))
        #expect(model["vocab_size"] as? Int == vocabulary.size)
    }

    @Test func unknownPreTokenizersAreRefused() {
        #expect(PreTokenizer(named: "default") == nil)
        #expect(PreTokenizer(named: "") == nil)
        #expect(PreTokenizer(named: "llama-bpe")?.ignoresMerges == true)
        #expect(PreTokenizer(named: "smollm")?.splits.count == 2)
    }

    @Test func filesThatAreNoModelsAreRefused() {
        #expect(throws: TokenizationError.self) {
            try TokenizerExport(modelPath: "/nonexistent.gguf")
        }
    }

    @Test func textIsEscaped() throws {
        var json = JSONText()
        let text = "a\"b\\c\n\u{1}\u{1F}é日\u{1F600}\u{7F}"
        json.string(text)
        let value = try JSONSerialization.jsonObject(
            with: Data(json.bytes), options: .fragmentsAllowed)
        #expect(value as? String == text)
    }
}
