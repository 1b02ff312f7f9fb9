import InferenceTypes
import Testing

@testable import Tokenization

@Suite struct AnswerReaderTests {
    /// Words of a small vocabulary; the last four are special.
    private static let control = ["<think>", "</think>", "<tool_call>", "</tool_call>"]

    /// What came out, and which tokens were visible, of text cut into these tokens.
    private struct Result {
        var pieces: [AnswerReader.Piece] = []
        var released: [Bool] = []
        var reasoningTokens = 0
        var stop: Int?

        var text: String { join { if case .text(let text) = $0 { text } else { nil } } }
        var reasoning: String { join { if case .reasoning(let text) = $0 { text } else { nil } } }
        var calls: [String] {
            pieces.compactMap {
                guard case .markedCall(let body, _) = $0 else { return nil }
                return String(decoding: body, as: UTF8.self)
            }
        }

        private func join(_ part: (AnswerReader.Piece) -> [UInt8]?) -> String {
            String(decoding: pieces.compactMap(part).joined(), as: UTF8.self)
        }
    }

    private enum Marks {
        case none
        case text
        case tokens
    }

    private func run(
        _ words: [String], thinking: Marks = .none, calls: Bool = false, begins: Bool = false,
        stops: [String] = []
    ) throws -> Result {
        var spellings = words.filter { !Self.control.contains($0) }
        let first = spellings.count
        spellings += Self.control
        let table = PieceTable(
            pieces: spellings.map { Array($0.utf8) },
            isControl: spellings.indices.map { $0 >= first })
        func mark(_ index: Int, _ marks: Marks) -> AnswerMark {
            AnswerMark(Self.control[index], token: marks == .tokens ? TokenID(first + index) : nil)
        }
        var syntax = AnswerSyntax()
        if thinking != .none {
            syntax.thinking = ThinkingMarks(start: mark(0, thinking), ends: [mark(1, thinking)])
        }
        if calls { syntax.calls = .marked(start: mark(2, .text), end: mark(3, .text)) }
        syntax.beginsThinking = begins
        var reader = AnswerReader(
            syntax, pieces: table, spelled: [TokenID(first + 2), TokenID(first + 3)],
            stops: try StopStrings(stops), minimumTokens: 0)
        var output = AnswerReader.Output()
        var next = 0
        for word in words {
            if let index = Self.control.firstIndex(of: word) {
                reader.append(TokenID(first + index), to: &output)
            } else {
                reader.append(TokenID(next), to: &output)
                next += 1
            }
        }
        reader.finish(to: &output)
        return Result(
            pieces: output.pieces, released: output.released,
            reasoningTokens: reader.reasoningTokens, stop: reader.stop)
    }

    @Test func splitsReasoningAtTokens() throws {
        let result = try run(
            ["<think>", "\nHm", "m.\n", "</think>", "\n\n", "Yes", "."], thinking: .tokens)
        #expect(result.reasoning == "Hmm.")
        #expect(result.text == "Yes.")
        #expect(result.reasoningTokens == 4)
        #expect(result.released == [false, false, false, false, false, true, true])
    }

    /// The same letters in other tokens are text where the vocabulary has a token for the mark.
    @Test func trap24_lettersAreNoMarkWhereThereIsAToken() throws {
        let result = try run(["<th", "ink>", "a", "</think", ">", "b"], thinking: .tokens)
        #expect(result.reasoning == "")
        #expect(result.text == "<think>a</think>b")
        let inside = try run(["<think>", "a </th", "ink> b", "</think>", "c"], thinking: .tokens)
        #expect(inside.reasoning == "a </think> b")
        #expect(inside.text == "c")
    }

    @Test func splitsReasoningAtTextHoweverItIsCut() throws {
        let text = "<think>\nHm </thin é ok\n</think>\n\nYes < or </think> é."
        // Seven would cut out the mark itself, which is a token here.
        for size in [1, 2, 3, 4, 5, 6, 8, 9] {
            let bytes = Array(text.unicodeScalars.map(String.init))
            let words = stride(from: 0, to: bytes.count, by: size).map {
                bytes[$0..<min($0 + size, bytes.count)].joined()
            }
            let result = try run(words, thinking: .text)
            #expect(result.reasoning == "Hm </thin é ok", "\(size)")
            #expect(result.text == "Yes < or </think> é.", "\(size)")
            #expect(result.released.count == words.count)
        }
    }

    @Test func reasoningThatBeganInThePrompt() throws {
        let result = try run(["Hm", "</think>", "Yes"], thinking: .tokens, begins: true)
        #expect(result.reasoning == "Hm")
        #expect(result.text == "Yes")
        #expect(result.reasoningTokens == 2)
        let cut = try run(["Hm", " and"], thinking: .tokens, begins: true)
        #expect(cut.reasoning == "Hm and")
        #expect(cut.text == "")
    }

    @Test func aMarkInTheMiddleOfTextIsText() throws {
        let result = try run(["a <think> b </think>"], thinking: .text)
        #expect(result.text == "a <think> b </think>")
        #expect(result.reasoning == "")
    }

    @Test func trap7_stopStringsAreForVisibleTextOnly() throws {
        let result = try run(
            ["<think>", "END", "</think>", "a EN", "D b"], thinking: .tokens, stops: ["END"])
        #expect(result.reasoning == "END")
        #expect(result.text == "a ")
        #expect(result.stop == 0)
        let calls = try run(
            ["<tool_call>", #"{"END":1}"#, "</tool_call>"], calls: true, stops: ["END"])
        #expect(calls.calls == [#"{"END":1}"#])
        #expect(calls.stop == nil)
        // A stop string does not go across a call either.
        let across = try run(
            ["E", "<tool_call>", "{}", "</tool_call>", "ND"], calls: true, stops: ["END"])
        #expect(across.text == "END")
        #expect(across.stop == nil)
    }

    @Test func findsCallsHoweverTheyAreCut() throws {
        let text = "Well.\n<tool_call>\n{\"a\":\"é<\"}\n</tool_call>\n<tool_call>{}</tool_call>\n"
        for size in 1...13 {
            let scalars = Array(text.unicodeScalars.map(String.init))
            let words = stride(from: 0, to: scalars.count, by: size).map {
                scalars[$0..<min($0 + size, scalars.count)].joined()
            }
            let result = try run(words, calls: true)
            #expect(result.text == "Well.", "\(size)")
            #expect(result.calls == ["\n{\"a\":\"é<\"}\n", "{}"], "\(size)")
        }
        // Marks that are control tokens are read too.
        let tokens = try run(["Hi ", "<tool_call>", "{}", "</tool_call>"], calls: true)
        #expect(tokens.text == "Hi")
        #expect(tokens.calls == ["{}"])
        #expect(tokens.released.first == true)
        #expect(tokens.released.dropFirst().allSatisfy { !$0 })
    }

    @Test func anArgumentMaySpellTheMarkThatEndsCalls() throws {
        let call = #"{"name": "f", "arguments": {"a": "\"</tool_call>\\", "b": "</tool_call>"}}"#
        let text = "<tool_call>" + call + "</tool_call>"
        for cut in 1...7 {
            var words: [String] = []
            var rest = text[...]
            while !rest.isEmpty {
                words.append(String(rest.prefix(cut)))
                rest = rest.dropFirst(cut)
            }
            let result = try run(words, calls: true)
            #expect(result.calls == [call])
            #expect(result.text == "")
        }
    }

    @Test func aCallThatNeverEndsIsToldApart() throws {
        let result = try run(["a", "<tool_call>", #"{"x":"#], calls: true)
        #expect(
            result.pieces == [
                .text(Array("a".utf8)),
                .markedCall(
                    body: Array(#"{"x":"#.utf8), whole: Array(#"<tool_call>{"x":"#.utf8)),
            ])
    }

    @Test func textIsNotHeldBackForNothing() throws {
        let result = try run(["a", " b", "\n", "c <", "tool", "x"], calls: true)
        #expect(result.text == "a b\nc <toolx")
        #expect(result.released == Array(repeating: true, count: 6))
    }
}
