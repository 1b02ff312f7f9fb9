import Testing

@testable import Tokenization

@Suite struct SpecialTokensTests {
    private let special = SpecialTokens([
        .init(id: 1, spelling: Array("<a>".utf8), isControl: true),
        .init(id: 2, spelling: Array("<a>b".utf8), isControl: false),
        .init(id: 3, spelling: Array("  ".utf8), isControl: false),
        .init(id: 4, spelling: Array("<a>".utf8), isControl: true),
        .init(id: 5, spelling: [], isControl: true),
        .init(id: 6, spelling: Array("［終］".utf8), isControl: true),
    ])

    private func found(_ text: String) -> [String] {
        special.occurrences(in: Array(text.utf8)).map {
            "\(special.tokens[$0.token].id)@\($0.range.lowerBound)"
        }
    }

    @Test func findsTheLongestSpellingAtEachPlace() {
        #expect(found("") == [])
        #expect(found("x<a>y<a>b<a") == ["1@1", "2@5"])
        #expect(found("<<a>>") == ["1@1"])
        #expect(found("     ") == ["3@0", "3@2"])
        #expect(found("［終］") == ["6@0"])
        #expect(found("［終<a>") == ["1@6"])
    }

    @Test func bordersAreThoseOfControlTokens() {
        #expect(special.controlBorders() == ["<", ">", "［", "］"])
    }
}
