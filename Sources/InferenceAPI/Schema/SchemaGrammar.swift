/// Writes GBNF rules for schemas. What they let through is JSON that validates.
///
/// Rules with equal bodies are one rule. Rule names are `value`, `s` or `d` and a
/// number; callers take others for theirs.
struct SchemaGrammar {
    /// Bounds where a schema has none, so that an output ends even of a model that loops.
    struct Bounds: Hashable {
        /// Characters of a string.
        var characters: Int?
        /// Items of an array, and properties of an object that names none.
        var items: Int?
        /// Levels of arrays and objects in a value of any kind.
        var levels: Int?
        /// White space other than a single space.
        var allowsLines: Bool

        /// White space is bounded always, since small models write it without end.
        static let none = Bounds(characters: nil, items: nil, levels: nil, allowsLines: true)
        /// Of the arguments of calls that must be made.
        static let call = Bounds(characters: 1_000, items: 16, levels: 2, allowsLines: false)
    }

    /// May change between schemas.
    var bounds: Bounds
    private var lines: [String] = []
    /// By body.
    private var names: [String: String] = [:]
    /// Of the schema being written, by number.
    private var references: [Int: String] = [:]
    private var definitions: [SchemaNode] = []
    private var hasValue = false
    private(set) var bytes = 0
    /// Most copies in one `{m,n}` that llama.cpp takes.
    private static let copiesMax = 2_000

    init(bounds: Bounds) {
        self.bounds = bounds
    }

    var text: String { lines.joined(separator: "\n") + "\n" }

    // MARK: Rules

    /// The name of a rule with this body.
    mutating func rule(_ body: String) -> String {
        if let name = names[body] { return name }
        let name = "s\(names.count)"
        names[body] = name
        add(name, body)
        return name
    }

    /// A rule whose name is its caller's.
    mutating func add(_ name: String, _ body: String) {
        let line = "\(name) ::= \(body)"
        bytes += line.utf8.count + 1
        lines.append(line)
    }

    /// What matches values of a schema: a name.
    mutating func write(_ schema: JSONSchema) -> String {
        definitions = schema.definitions
        references = [:]
        let expression = write(schema.root)
        return rule(expression)
    }

    private mutating func write(_ node: SchemaNode) -> String {
        switch node {
        case .anything: return value(levels: bounds.levels)
        case .null: return #""null""#
        case .boolean: return rule(#""true" | "false""#)
        case .integer(let range): return rule(SchemaNumbers.integer(range))
        case .number(let range): return rule(SchemaNumbers.number(range))
        case .string(let least, let most): return string(least: least, most: most)
        case .pattern(let pattern): return rule(#""\"" "# + write(pattern) + #" "\"""#)
        case .literals(let values):
            return rule(values.map { Self.literal($0.text) }.joined(separator: " | "))
        case .array(let item, let least, let most):
            return array(of: write(item), least: least, most: most)
        case .tuple(let items):
            guard !items.isEmpty else { return rule(#""[" \#(space) "]""#) }
            let separator = #" \#(space) "," \#(space) "#
            let list = items.map { write($0) }.joined(separator: separator)
            return rule(#""[" \#(space) \#(list) \#(space) "]""#)
        case .object(let object): return write(object)
        case .anyOf(let branches):
            return rule(branches.map { write($0) }.joined(separator: " | "))
        case .reference(let number):
            if let name = references[number] { return name }
            let name = "d\(lines.count)-\(number)"
            references[number] = name
            // Before the rules that it refers to, one of which may be itself.
            add(name, write(definitions[number]))
            return name
        }
    }

    // MARK: White space and any value

    private var space: String {
        mutating get {
            bounds.allowsLines ? rule(#""" | " " | "\n" [ \t]{0,20}"#) : rule(#"" "?"#)
        }
    }

    /// A value of any kind, of at most so many levels of arrays and objects.
    private mutating func value(levels: Int?) -> String {
        var scalars = [string(least: 0, most: nil), rule(SchemaNumbers.number(.unlimited))]
        scalars += [#""true""#, #""false""#, #""null""#]
        guard let levels else {
            // Refers to itself.
            let name = "value"
            guard !hasValue else { return name }
            hasValue = true
            let inner = [
                map(of: name, least: 0, most: nil), array(of: name, least: 0, most: nil),
            ]
            add(name, (inner + scalars).joined(separator: " | "))
            return name
        }
        guard levels > 0 else { return rule(scalars.joined(separator: " | ")) }
        let inner = value(levels: levels - 1)
        let containers = [
            map(of: inner, least: 0, most: nil), array(of: inner, least: 0, most: nil),
        ]
        return rule((containers + scalars).joined(separator: " | "))
    }

    // MARK: Strings

    /// One character of a string. Halves of surrogate pairs are not, alone or together: the length
    /// of a string is counted in code points.
    private mutating func character() -> String {
        rule(
            #"[^"\\\x00-\x1F\x7F] | "\\" (["\\/bfnrt] | "u" "#
                + #"([0-9a-cA-CefEF] [0-9a-fA-F]{3} | [dD] [0-7] [0-9a-fA-F]{2}))"#)
    }

    private mutating func string(least: Int, most: Int?) -> String {
        let most = most ?? bounds.characters.map { max(least, $0) }
        return rule(#""\"" "# + repeated(character(), least: least, most: most) + #" "\"""#)
    }

    /// `item` is a name or a group.
    private mutating func repeated(_ item: String, least: Int, most: Int?) -> String {
        guard let most else {
            switch least {
            case 0: return item + "*"
            case 1: return item + "+"
            default: return item + "{\(least),}"
            }
        }
        guard most > 0 else { return #""""# }
        if least == 0, most == 1 { return item + "?" }
        if most <= Self.copiesMax {
            return item + (least == most ? "{\(least)}" : "{\(least),\(most)}")
        }
        // More than the library writes out: whole hundreds, then less than one more.
        let chunk = 500
        let chunks = min((most - least) / chunk, Self.copiesMax)
        let name = rule(item + "{\(chunk)}")
        let first = least > 0 ? item + "{\(least)} " : ""
        let rest = chunks > 0 ? "\(name){0,\(chunks - 1)} \(item){0,\(chunk)}" : ""
        return first + rest
    }

    private mutating func write(_ pattern: SchemaPattern) -> String {
        switch pattern {
        case .set(let set): return Self.characters(set)
        case .sequence(let parts):
            return parts.isEmpty ? #""""# : parts.map { write($0) }.joined(separator: " ")
        case .choice(let branches):
            return "(" + branches.map { write($0) }.joined(separator: " | ") + ")"
        case .repetition(let part, let least, let most):
            // An empty item cannot be repeated, and need not be.
            if part.lengths.most == 0 { return #""""# }
            let most = most ?? bounds.characters.map { max(least, $0) }
            return repeated(rule(write(part)), least: least, most: most)
        }
    }

    /// One character of a string's value, in the ways in which JSON writes it.
    private static func characters(_ set: ScalarSet) -> String {
        let escaped = ScalarSet([0...0x1F, 0x22...0x22, 0x5C...0x5C])
        var ways: [String] = []
        let plain = set.subtracting(escaped)
        if !plain.isEmpty {
            let ranges = plain.ranges.map { range in
                range.count == 1
                    ? escape(range.lowerBound)
                    : "\(escape(range.lowerBound))-\(escape(range.upperBound))"
            }
            ways.append("[\(ranges.joined())]")
        }
        for range in escaped.ranges {
            for value in range where set.contains(Unicode.Scalar(UInt8(value))) {
                // The JSON string with nothing but the character, less its quotes.
                let text = JSONTree.string(String(Unicode.Scalar(UInt8(value)))).text
                ways.append(literal(String(text.dropFirst().dropLast())))
            }
        }
        return ways.count == 1 ? ways[0] : "(" + ways.joined(separator: " | ") + ")"
    }

    private static func escape(_ value: UInt32) -> String {
        switch value {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A:
            return String(Unicode.Scalar(UInt8(value)))
        default:
            let digits = String(value, radix: 16, uppercase: true)
            return "\\U" + String(repeating: "0", count: 8 - digits.count) + digits
        }
    }

    /// Text as GBNF quotes it.
    static func literal(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\0"..<" ": result += escape(scalar.value)
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    // MARK: Arrays and objects

    private mutating func array(of item: String, least: Int, most: Int?) -> String {
        let most = most ?? bounds.items.map { max(least, $0) }
        guard most != 0 else { return rule(#""[" \#(space) "]""#) }
        let item = rule(item)
        return rule(#""[" \#(space) \#(list(of: item, least: least, most: most)) "]""#)
    }

    /// Items, each followed by white space, with commas between them.
    private mutating func list(of item: String, least: Int, most: Int?) -> String {
        let more = rule(#""," \#(space) \#(item) \#(space)"#)
        let rest = repeated(more, least: max(0, least - 1), most: most.map { $0 - 1 })
        let list = most == 1 ? "\(item) \(space)" : "\(item) \(space) \(rest)"
        return least == 0 ? "(\(list))?" : list
    }

    private mutating func map(of value: String, least: Int, most: Int?) -> String {
        let most = most ?? bounds.items.map { max(least, $0) }
        guard most != 0 else { return rule(#""{" \#(space) "}""#) }
        let key = string(least: 0, most: nil)
        let member = rule(#"\#(key) \#(space) ":" \#(space) \#(value)"#)
        return rule(#""{" \#(space) \#(list(of: member, least: least, most: most)) "}""#)
    }

    private mutating func write(_ object: SchemaObject) -> String {
        guard !object.properties.isEmpty else {
            guard let others = object.others else { return rule(#""{" \#(space) "}""#) }
            return map(of: write(others), least: object.least, most: object.most)
        }
        // From the last property to the first: what may follow when nothing was written before
        // (`first`), and when something was (`next`).
        var first = ""
        var next = ""
        for property in object.properties.reversed() {
            let key = Self.literal(JSONTree.string(property.name).text)
            let member = rule(
                #"\#(key) \#(space) ":" \#(space) \#(write(property.node)) \#(space)"#)
            let more = rule(#""," \#(space) \#(member)"#)
            let isLast = next.isEmpty
            let here = isLast ? member : "\(member) \(next)"
            if property.isRequired {
                first = rule(here)
                next = rule(isLast ? more : "\(more) \(next)")
            } else {
                first = rule("\(here) | \(first.isEmpty ? #""""# : first)")
                next = rule(isLast ? "\(more)?" : "\(more)? \(next)")
            }
        }
        return rule(#""{" \#(space) \#(first) "}""#)
    }
}
