import InferenceAPI
import InferenceTypes
import Tokenization

/// What the tokens of one choice say: from token ids to the pieces of an answer. It outlives the
/// worker that the tokens come from. A value with one owner, the choice.
struct AnswerText {
    /// Nil for an answer that is nothing but visible text, which `assembler` reads.
    private var reader: AnswerReader?
    private let tools: ToolRules?
    /// Of an answer that is visible text.
    var assembler: TextAssembler
    /// How many calls came out.
    private(set) var calls = 0
    private var output = AnswerReader.Output()

    init(_ prepared: PreparedChat) {
        tools = prepared.tools
        let vocabulary = prepared.tokenizer.vocabulary
        let least = prepared.sampling.minTokens
        assembler = TextAssembler(
            pieces: vocabulary.pieces, stops: prepared.stops, minimumTokens: least)
        guard !prepared.syntax.isPlain else { return }
        reader = AnswerReader(
            prepared.syntax, vocabulary: vocabulary, stops: prepared.stops, minimumTokens: least)
    }

    /// Whether `assembler` is to be used.
    var isPlain: Bool { reader == nil }
    var reasoningTokens: Int { reader?.reasoningTokens ?? 0 }

    /// What more came out of an answer that is not plain.
    struct Advance {
        var pieces: [AnswerPiece] = []
        /// For each token that is done with, in order: whether it is part of visible text.
        var released: [Bool] = []
        /// Index of the stop string that ends the text here.
        var stop: Int?
        /// All calls that may be made were made.
        var isComplete = false
    }

    mutating func append(_ tokens: [TokenID]) -> Advance {
        for token in tokens {
            reader?.append(token, to: &output)
            if reader?.stop != nil { break }
        }
        return takeOutput()
    }

    mutating func finish() -> Advance {
        reader?.finish(to: &output)
        return takeOutput()
    }

    private mutating func takeOutput() -> Advance {
        var advance = Advance()
        for piece in output.pieces where !advance.isComplete {
            switch piece {
            case .text(let text): advance.append(text: text)
            case .reasoning(let text):
                advance.pieces.append(.reasoning(String(decoding: text, as: UTF8.self)))
            case .markedCall(let body, let whole):
                if let calls = tools?.calls(in: body) {
                    take(calls, into: &advance)
                } else if tools?.hasGrammar != true {
                    advance.append(text: whole)
                }
            case .call(let call):
                if let call = tools?.call(name: call.name, arguments: call.arguments) {
                    take([call], into: &advance)
                } else {
                    advance.append(text: Array("\(call.name)(\(call.arguments))".utf8))
                }
            }
        }
        advance.released = output.released
        advance.stop = advance.isComplete ? nil : reader?.stop
        output.pieces.removeAll(keepingCapacity: true)
        output.released.removeAll(keepingCapacity: true)
        return advance
    }

    private mutating func take(_ calls: [ChatToolCall], into advance: inout Advance) {
        let most = tools?.callsMax ?? 0
        for call in calls.prefix(most - self.calls) {
            advance.pieces.append(.toolCall(call))
            self.calls += 1
        }
        advance.isComplete = self.calls >= most
    }
}

extension AnswerText.Advance {
    fileprivate mutating func append(text: [UInt8]) {
        guard !text.isEmpty else { return }
        let more = String(decoding: text, as: UTF8.self)
        if case .text(let before, _) = pieces.last {
            pieces[pieces.count - 1] = .text(before + more, logprobs: nil)
        } else {
            pieces.append(.text(more, logprobs: nil))
        }
    }
}
