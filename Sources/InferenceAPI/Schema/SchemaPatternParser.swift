/// Reads ECMA 262's regular expressions as far as a grammar can follow them, and where Python,
/// JavaScript and PCRE mean the same.
struct SchemaPatternParser {
    struct Failure: Error {
        var message: String
    }

    /// What a place in a pattern can be.
    private indirect enum Part {
        case pattern(SchemaPattern)
        case begin
        case end
    }

    private let scalars: [Unicode.Scalar]
    private let limits: SchemaLimits
    private var position = 0
    private var nesting = 0
    private static let nestingMax = 32

    init(_ text: String, limits: SchemaLimits) {
        scalars = Array(text.unicodeScalars)
        self.limits = limits
    }

    /// The whole pattern, which must begin with `^` and end with `$`: a schema's patterns match
    /// anywhere in the string otherwise.
    mutating func parse() throws(Failure) -> SchemaPattern {
        guard scalars.count <= limits.patternCharacters else {
            throw Failure(
                message: "Expected a pattern of at most \(limits.patternCharacters) characters.")
        }
        var branches: [SchemaPattern] = []
        repeat {
            var parts = try sequence()
            guard case .begin? = parts.first, case .end? = parts.last, parts.count >= 2 else {
                throw Failure(
                    message: "Only enforced where it begins with '^' and ends with '$'.")
            }
            parts.removeFirst()
            parts.removeLast()
            branches.append(try Self.joined(parts))
        } while take("|")
        guard position == scalars.count else {
            throw Failure(message: "Not a regular expression: a ')' is too many.")
        }
        return branches.count == 1 ? branches[0] : .choice(branches)
    }

    private static func joined(_ parts: [Part]) throws(Failure) -> SchemaPattern {
        var patterns: [SchemaPattern] = []
        for part in parts {
            guard case .pattern(let pattern) = part else {
                throw Failure(message: "Anchors are only enforced at the beginning and the end.")
            }
            patterns.append(pattern)
        }
        return patterns.count == 1 ? patterns[0] : .sequence(patterns)
    }

    private var next: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard next == scalar else { return false }
        position += 1
        return true
    }

    private mutating func sequence() throws(Failure) -> [Part] {
        var parts: [Part] = []
        while let scalar = next, scalar != "|", scalar != ")" {
            position += 1
            switch scalar {
            case "^": parts.append(.begin)
            case "$": parts.append(.end)
            default:
                let item = try item(scalar)
                parts.append(.pattern(try quantified(item)))
            }
        }
        return parts
    }

    private mutating func item(_ scalar: Unicode.Scalar) throws(Failure) -> SchemaPattern {
        switch scalar {
        case "(": return try group()
        case "[": return .set(try characterClass())
        case ".": return .set(.visible)
        case "\\": return .set(try escape(inClass: false))
        case "*", "+", "?": throw Failure(message: "Not a regular expression: nothing to repeat.")
        case "{", "}", "]":
            throw Failure(message: "Write '\\\(scalar)' for the character '\(scalar)'.")
        default: return .set(ScalarSet(scalar))
        }
    }

    private mutating func group() throws(Failure) -> SchemaPattern {
        if take("?") {
            guard take(":") else {
                throw Failure(message: "Groups that look around or have names are not enforced.")
            }
        }
        nesting += 1
        guard nesting <= Self.nestingMax else {
            throw Failure(message: "Expected at most \(Self.nestingMax) nested groups.")
        }
        var branches: [SchemaPattern] = []
        repeat { branches.append(try Self.joined(try sequence())) } while take("|")
        guard take(")") else { throw Failure(message: "Not a regular expression: ')' is missing.") }
        nesting -= 1
        return branches.count == 1 ? branches[0] : .choice(branches)
    }

    // MARK: Repetitions

    private mutating func quantified(_ item: SchemaPattern) throws(Failure) -> SchemaPattern {
        let least: Int
        let most: Int?
        switch next {
        case "*": (least, most) = (0, nil)
        case "+": (least, most) = (1, nil)
        case "?": (least, most) = (0, 1)
        case "{":
            position += 1
            (least, most) = try counts()
            position -= 1
        default: return item
        }
        position += 1
        // Lazy ones match the same strings.
        _ = take("?")
        if let next, "*+{".unicodeScalars.contains(next) {
            throw Failure(message: "Repetitions of repetitions need a group.")
        }
        if most == nil, item.lengths.least == 0 {
            throw Failure(message: "What may be empty is not repeated without a bound.")
        }
        return .repetition(item, least: least, most: most)
    }

    /// From behind `{` to behind `}`.
    private mutating func counts() throws(Failure) -> (Int, Int?) {
        let failure = Failure(
            message: "Counts must be '{m}', '{m,}' or '{m,n}', at most \(limits.least).")
        guard let least = number() else { throw failure }
        var most: Int? = least
        if take(",") { most = number() }
        guard take("}"), least <= limits.least, most ?? least >= least,
            most ?? 0 <= limits.least
        else { throw failure }
        return (least, most)
    }

    private mutating func number() -> Int? {
        var value: Int?
        while let scalar = next, ("0"..."9").contains(scalar), value ?? 0 < 100_000 {
            value = (value ?? 0) * 10 + Int(scalar.value - 0x30)
            position += 1
        }
        return value
    }

    // MARK: Characters

    /// From behind `[` to behind `]`.
    private mutating func characterClass() throws(Failure) -> ScalarSet {
        let unterminated = Failure(message: "Not a regular expression: ']' is missing.")
        let isNegated = take("^")
        var set = ScalarSet([])
        var hasShorthand = false
        while let scalar = next, scalar != "]" {
            position += 1
            if scalar == "\\", let letter = next, "dws".unicodeScalars.contains(letter) {
                hasShorthand = true
            }
            let low = scalar == "\\" ? try escape(inClass: true) : ScalarSet(scalar)
            let isRange =
                next == "-" && position + 1 < scalars.count && scalars[position + 1] != "]"
            guard isRange else {
                set = set.union(low)
                continue
            }
            position += 1
            guard let last = next else { throw unterminated }
            position += 1
            let high = last == "\\" ? try escape(inClass: true) : ScalarSet(last)
            guard let from = low.single, let to = high.single, from <= to else {
                throw Failure(message: "Not a regular expression: a range has no order.")
            }
            set = set.union(ScalarSet([from...to]))
        }
        guard take("]") else { throw unterminated }
        if isNegated {
            set = (hasShorthand ? ScalarSet.ascii : .visible).subtracting(set)
        }
        guard !set.isEmpty else { throw Failure(message: "No character matches a class.") }
        return set
    }

    /// From behind the backslash.
    private mutating func escape(inClass: Bool) throws(Failure) -> ScalarSet {
        guard let scalar = next else {
            throw Failure(message: "Not a regular expression: it ends with a backslash.")
        }
        position += 1
        switch scalar {
        case "d": return .digits
        case "w": return .word
        case "s": return .space
        case "D": return ScalarSet.ascii.subtracting(.digits)
        case "W": return ScalarSet.ascii.subtracting(.word)
        case "S": return ScalarSet.ascii.subtracting(.space)
        case "t": return ScalarSet("\t")
        case "n": return ScalarSet("\n")
        case "r": return ScalarSet("\r")
        case "x": return ScalarSet(try hexadecimal(digits: 2))
        case "u": return ScalarSet(try hexadecimal(digits: 4))
        case "0"..."9", "a"..."z", "A"..."Z":
            throw Failure(message: "'\\\(scalar)' is not enforced.")
        default: return ScalarSet(scalar)
        }
    }

    private mutating func hexadecimal(digits: Int) throws(Failure) -> Unicode.Scalar {
        var value: UInt32 = 0
        for _ in 0..<digits {
            guard let scalar = next, scalar.isASCII, let digit = Character(scalar).hexDigitValue
            else {
                throw Failure(message: "Not a regular expression: expected hexadecimal digits.")
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        guard let scalar = Unicode.Scalar(value) else {
            throw Failure(message: "Halves of surrogate pairs are not enforced.")
        }
        return scalar
    }
}

extension ScalarSet {
    /// The only one, or nil.
    fileprivate var single: UInt32? {
        ranges.count == 1 && ranges[0].count == 1 ? ranges[0].lowerBound : nil
    }
}

extension SchemaPattern {
    init(
        parsing text: String, limits: SchemaLimits
    ) throws(SchemaPatternParser.Failure) {
        var parser = SchemaPatternParser(text, limits: limits)
        self = try parser.parse()
    }
}
