/// The parts of a GBNF rule that matter for what a grammar costs.
indirect enum GrammarNode {
    /// A literal or a character class of so many elements; a literal may be empty.
    case characters(elements: Int)
    /// One token of the vocabulary: `<name>`, `<[7]>`, `!<name>`.
    case token
    case reference(Int)
    case group([[GrammarNode]])
    case repetition(GrammarNode, least: Int, most: Int?)
}

/// Reads GBNF as llama.cpp's parser does (`grammars/README.md` there), within limits.
struct GrammarParser {
    struct Rule {
        var name: String
        /// Nil while the rule was only referred to.
        var alternatives: [[GrammarNode]]?
    }

    private let bytes: [UInt8]
    private let limits: GrammarLimits
    private var offset = 0
    private var nesting = 0
    private var numbers: [String: Int] = [:]
    private(set) var rules: [Rule] = []
    /// Tokens referred to by name, brackets included.
    private(set) var tokenNames: [String] = []

    /// Parses everything; afterwards `rules` is complete.
    init(_ text: String, limits: GrammarLimits) throws(GrammarError) {
        guard text.utf8.count <= limits.bytesMax else {
            throw .tooLarge(limit: "bytes", allowed: limits.bytesMax)
        }
        bytes = Array(text.utf8)
        self.limits = limits
        if let zero = bytes.firstIndex(of: 0) {
            throw .syntax(offset: zero, expected: "no zero byte")
        }
        skipSpace(newlines: true)
        while peek != 0 { try parseRule() }
        if let undefined = rules.first(where: { $0.alternatives == nil }) {
            throw .undefinedRule(undefined.name)
        }
        guard numbers["root"] != nil else { throw .undefinedRule("root") }
    }

    /// The byte at the offset, 0 at the end.
    private var peek: UInt8 { offset < bytes.count ? bytes[offset] : 0 }

    private func peek(_ ahead: Int) -> UInt8 {
        offset + ahead < bytes.count ? bytes[offset + ahead] : 0
    }

    private func expected(_ what: String) -> GrammarError {
        .syntax(offset: offset, expected: what)
    }

    private mutating func expect(_ byte: Character) throws(GrammarError) {
        guard peek == byte.asciiValue else { throw expected("'\(byte)'") }
        offset += 1
    }

    private mutating func skipSpace(newlines: Bool) {
        while true {
            switch peek {
            case UInt8(ascii: " "), UInt8(ascii: "\t"): offset += 1
            case UInt8(ascii: "\r") where newlines, UInt8(ascii: "\n") where newlines: offset += 1
            case UInt8(ascii: "#"):
                while peek != 0 && peek != UInt8(ascii: "\r") && peek != UInt8(ascii: "\n") {
                    offset += 1
                }
            default: return
            }
        }
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    private mutating func parseName() throws(GrammarError) -> Int {
        let start = offset
        while Self.isWord(peek) { offset += 1 }
        guard offset > start else { throw expected("a name") }
        let name = String(decoding: bytes[start..<offset], as: UTF8.self)
        if let number = numbers[name] { return number }
        guard rules.count < limits.rulesMax else {
            throw .tooLarge(limit: "rules", allowed: limits.rulesMax)
        }
        numbers[name] = rules.count
        rules.append(Rule(name: name))
        return rules.count - 1
    }

    private mutating func parseRule() throws(GrammarError) {
        let number = try parseName()
        skipSpace(newlines: false)
        try expect(":")
        try expect(":")
        try expect("=")
        skipSpace(newlines: true)
        rules[number].alternatives = try parseAlternatives(nested: false)
        guard peek == 0 || peek == UInt8(ascii: "\n") || peek == UInt8(ascii: "\r") else {
            throw expected("a new line")
        }
        skipSpace(newlines: true)
    }

    private mutating func parseAlternatives(nested: Bool) throws(GrammarError) -> [[GrammarNode]] {
        var alternatives = [try parseSequence(nested: nested)]
        while peek == UInt8(ascii: "|") {
            offset += 1
            skipSpace(newlines: true)
            alternatives.append(try parseSequence(nested: nested))
        }
        return alternatives
    }

    private mutating func parseSequence(nested: Bool) throws(GrammarError) -> [GrammarNode] {
        var sequence: [GrammarNode] = []
        while true {
            switch peek {
            case UInt8(ascii: "\""): sequence.append(try parseLiteral())
            case UInt8(ascii: "["): sequence.append(try parseClass())
            case UInt8(ascii: "<"), UInt8(ascii: "!"): sequence.append(try parseToken())
            case UInt8(ascii: "("): sequence.append(try parseGroup())
            case UInt8(ascii: "."):
                offset += 1
                sequence.append(.characters(elements: 1))
            case UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "?"), UInt8(ascii: "{"):
                let (least, most) = try parseRepetition(nested: nested)
                guard let last = sequence.popLast(), !Self.isEmptyLiteral(last) else {
                    throw expected("an item to repeat")
                }
                sequence.append(.repetition(last, least: least, most: most))
            case let byte where Self.isWord(byte): sequence.append(.reference(try parseName()))
            default: return sequence
            }
            skipSpace(newlines: nested)
        }
    }

    private static func isEmptyLiteral(_ node: GrammarNode) -> Bool {
        if case .characters(0) = node { true } else { false }
    }

    private mutating func parseGroup() throws(GrammarError) -> GrammarNode {
        nesting += 1
        guard nesting <= limits.nestingMax else {
            throw .tooLarge(limit: "nesting", allowed: limits.nestingMax)
        }
        offset += 1
        skipSpace(newlines: true)
        let alternatives = try parseAlternatives(nested: true)
        try expect(")")
        nesting -= 1
        return .group(alternatives)
    }

    private mutating func parseLiteral() throws(GrammarError) -> GrammarNode {
        offset += 1
        var elements = 0
        while peek != UInt8(ascii: "\"") {
            try parseCharacter()
            elements += 1
        }
        offset += 1
        return .characters(elements: elements)
    }

    private mutating func parseClass() throws(GrammarError) -> GrammarNode {
        offset += peek(1) == UInt8(ascii: "^") ? 2 : 1
        var elements = 0
        while peek != UInt8(ascii: "]") {
            try parseCharacter()
            elements += 1
            if peek == UInt8(ascii: "-") && peek(1) != UInt8(ascii: "]") {
                offset += 1
                try parseCharacter()
                elements += 1
            }
        }
        offset += 1
        return .characters(elements: elements)
    }

    /// One character or escape of a literal or class.
    private mutating func parseCharacter() throws(GrammarError) {
        guard peek != 0 else { throw expected("a closing quote or bracket") }
        guard peek == UInt8(ascii: "\\") else {
            offset += 1
            // A Swift string is valid UTF-8: the rest of the character follows.
            while peek & 0xC0 == 0x80 { offset += 1 }
            return
        }
        let digits: Int
        switch peek(1) {
        case UInt8(ascii: "x"): digits = 2
        case UInt8(ascii: "u"): digits = 4
        case UInt8(ascii: "U"): digits = 8
        case UInt8(ascii: "t"), UInt8(ascii: "r"), UInt8(ascii: "n"), UInt8(ascii: "\\"),
            UInt8(ascii: "\""), UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "-"):
            digits = 0
        default: throw expected("a known escape")
        }
        offset += 2
        for _ in 0..<digits {
            guard Character(UnicodeScalar(peek)).isHexDigit else { throw expected("a hex digit") }
            offset += 1
        }
    }

    private mutating func parseToken() throws(GrammarError) -> GrammarNode {
        if peek == UInt8(ascii: "!") { offset += 1 }
        let start = offset
        try expect("<")
        if peek == UInt8(ascii: "[") {
            offset += 1
            _ = try parseInteger(most: Int(Int32.max))
            try expect("]")
            try expect(">")
            return .token
        }
        while peek != UInt8(ascii: ">") {
            guard peek != 0 else { throw expected("'>'") }
            offset += 1
        }
        offset += 1
        tokenNames.append(String(decoding: bytes[start..<offset], as: UTF8.self))
        return .token
    }

    private mutating func parseInteger(most: Int) throws(GrammarError) -> Int {
        let start = offset
        var value = 0
        while case UInt8(ascii: "0")...UInt8(ascii: "9") = peek {
            value = value * 10 + Int(peek - UInt8(ascii: "0"))
            guard value <= most else { throw .tooLarge(limit: "number", allowed: most) }
            offset += 1
        }
        guard offset > start else { throw expected("a number") }
        return value
    }

    private mutating func parseRepetition(
        nested: Bool
    ) throws(GrammarError) -> (least: Int, most: Int?) {
        let sign = peek
        offset += 1
        switch sign {
        case UInt8(ascii: "*"): return (0, nil)
        case UInt8(ascii: "+"): return (1, nil)
        case UInt8(ascii: "?"): return (0, 1)
        default: break
        }
        skipSpace(newlines: nested)
        let least = try parseInteger(most: limits.repetitionMax)
        skipSpace(newlines: nested)
        var most: Int? = least
        if peek == UInt8(ascii: ",") {
            offset += 1
            skipSpace(newlines: nested)
            most = peek == UInt8(ascii: "}") ? nil : try parseInteger(most: limits.repetitionMax)
            skipSpace(newlines: nested)
        }
        try expect("}")
        // The library would count down from a negative number.
        if let most, most < least { throw expected("{m,n} with m <= n") }
        return (least, most)
    }
}
