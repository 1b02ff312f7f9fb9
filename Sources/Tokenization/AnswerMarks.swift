internal import InferenceTypes

/// Text, or a token, that divides an answer.
package struct AnswerMark: Hashable, Sendable {
    /// Where the vocabulary has one token for it, only that token counts: the same letters in other
    /// tokens are text.
    var token: TokenID?
    var bytes: [UInt8]

    init(_ text: String, token: TokenID?) {
        bytes = Array(text.utf8)
        self.token = token
    }

    init(_ text: String, vocabulary: Vocabulary) {
        bytes = Array(text.utf8)
        token = vocabulary.specialTokens.tokens.first { $0.spelling == Array(text.utf8) }?.id
    }
}

/// How answers mark reasoning.
package struct ThinkingMarks: Hashable, Sendable {
    /// Nil when reasoning begins without a mark, in the prompt.
    package let start: AnswerMark?
    /// The first that comes ends it.
    let ends: [AnswerMark]

    init(start: AnswerMark?, ends: [AnswerMark]) {
        (self.start, self.ends) = (start, ends)
    }

    init?(start: String, ends: [String], vocabulary: Vocabulary) {
        func trimmed(_ text: String) -> String {
            let characters = text.drop(while: \.isWhitespace)
            return String(characters.reversed().drop(while: \.isWhitespace).reversed())
        }
        let start = trimmed(start)
        self.start = start.isEmpty ? nil : AnswerMark(start, vocabulary: vocabulary)
        var marks: [AnswerMark] = []
        for end in ends.map(trimmed) where !end.isEmpty {
            let mark = AnswerMark(end, vocabulary: vocabulary)
            if !marks.contains(mark) { marks.append(mark) }
        }
        if marks.isEmpty { return nil }
        self.ends = marks
    }

    /// Whether an answer to `prompt` begins within reasoning: the prompt ends with its mark.
    package func isOpen(after prompt: RenderedPrompt) -> Bool {
        guard let start else { return true }
        var end = prompt.text.utf8[...]
        while let last = end.last, last == 0x20 || (0x09...0x0D).contains(last) { end.removeLast() }
        return end.suffix(start.bytes.count).elementsEqual(start.bytes)
    }

    /// GBNF of reasoning that has begun, and then of what `grammar` matches, whose rules are one to
    /// a line and refer to no root.
    package func grammar(before grammar: String) -> String {
        let end = ends[0]
        let thought: String
        if let token = end.token {
            thought = "!<[\(token)]>* <[\(token)]>"
        } else {
            // No text that has the mark's first two bytes, so that its end is clear.
            let scalars = Array(String(decoding: end.bytes, as: UTF8.self).unicodeScalars.prefix(2))
            let literal = "\"\(String(decoding: end.bytes, as: UTF8.self))\""
            let escaped = scalars.map { "\\U" + Self.digits($0) }
            thought =
                escaped.count == 2
                ? "([^\(escaped[0])] | [\(escaped[0])] [^\(escaped[1])])* \(literal)"
                : "[^\(escaped[0])]* \(literal)"
        }
        let rules = grammar.split(separator: "\n").map { line in
            line.hasPrefix("root ::=") ? "answer" + line.dropFirst(4) : String(line)
        }
        return rules.joined(separator: "\n")
            + "\nroot ::= \(thought) \"\\n\"{0,2} answer\n"
    }

    private static func digits(_ scalar: Unicode.Scalar) -> String {
        let digits = String(scalar.value, radix: 16, uppercase: true)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }
}

/// What an answer may be made of besides visible text.
package struct AnswerSyntax: Sendable {
    package enum Calls: Sendable {
        case none
        /// Between two marks, one call each. The marks count as text too.
        case marked(start: AnswerMark, end: AnswerMark)
        /// As the library knows, from its first trigger to the end of the answer.
        case parsed(AnswerParser, triggers: [AnswerMark])
    }

    package var thinking: ThinkingMarks?
    /// The answer begins within reasoning.
    package var beginsThinking = false
    package var calls = Calls.none

    package init() {}

    /// An answer that is visible text.
    package var isPlain: Bool {
        guard thinking == nil, case .none = calls else { return false }
        return true
    }

    /// The tokens that are no text by themselves, and whose spelling is read.
    func spelledTokens(_ vocabulary: Vocabulary) -> Set<TokenID> {
        var texts: [String] = []
        switch calls {
        case .none: return []
        case .marked(let start, let end):
            texts = [start, end].map { String(decoding: $0.bytes, as: UTF8.self) }
        case .parsed(let parser, _): texts = parser.preserved + parser.triggers
        }
        var tokens: Set<TokenID> = []
        for special in vocabulary.specialTokens.tokens
        where texts.contains(String(decoding: special.spelling, as: UTF8.self))
            && !vocabulary.isEndOfGeneration(special.id)
        {
            tokens.insert(special.id)
        }
        return tokens
    }

    /// The marks of the generic form: `<tool_call>{…}</tool_call>`.
    package static func genericCalls(_ vocabulary: Vocabulary) -> Calls {
        .marked(
            start: AnswerMark("<tool_call>", vocabulary: vocabulary),
            end: AnswerMark("</tool_call>", vocabulary: vocabulary))
    }

    package static func parsedCalls(_ parser: AnswerParser, _ vocabulary: Vocabulary) -> Calls {
        .parsed(
            parser, triggers: parser.triggers.map { AnswerMark($0, vocabulary: vocabulary) })
    }
}
