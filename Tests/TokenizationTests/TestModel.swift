import Foundation
import Testing

@testable import Tokenization

/// The default model, opened once for all tests.
enum TestModel {
    static let path = ProcessInfo.processInfo.environment["SWITCHYARD_TEST_MODEL"]
    private static let opened = path.map { path in Result { try Vocabulary(path: path) } }

    /// `make test` sets SWITCHYARD_TEST_MODEL; without it these tests fail and say so.
    static func vocabulary() throws -> Vocabulary {
        let opened = try #require(
            opened, "set SWITCHYARD_TEST_MODEL to the GGUF of SmolLM2-135M-Instruct")
        return try opened.get()
    }

    static func template() throws -> ChatTemplate {
        try ChatTemplate(vocabulary: try vocabulary())
    }
}

extension PieceTable {
    /// Text of whole tokens, for tests.
    func text(of tokens: [Int32]) -> String {
        String(decoding: tokens.flatMap { Array(text($0)) }, as: UTF8.self)
    }
}
