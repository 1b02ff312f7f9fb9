/// Reads a schema's text as `SchemaNode`s, and refuses every keyword that has no form there.
struct SchemaReader {
    let root: JSONTree
    let limits: SchemaLimits
    /// By number; nil while it is being read.
    private(set) var definitions: [SchemaNode?] = []
    private(set) var definitionPaths: [String] = []
    /// Of the references met so far, by their resolved pointer.
    private var numbers: [[String]: Int] = [:]
    private var nodes = 0

    /// Keywords that assert nothing (JSON Schema 2020-12 core §8, validation §9), and OpenAPI's
    /// `discriminator`, which only says which branch of a `oneOf` applies.
    private static let annotations: Set<String> = [
        "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly",
        "$schema", "$comment", "$defs", "definitions", "discriminator",
    ]

    init(_ root: JSONTree, limits: SchemaLimits) {
        self.root = root
        self.limits = limits
    }

    mutating func readRoot() throws(SchemaError) -> SchemaNode {
        try read(root, at: "")
    }

    // MARK: One schema

    mutating func read(_ schema: JSONTree, at path: String) throws(SchemaError) -> SchemaNode {
        nodes += 1
        guard nodes <= limits.nodes else {
            throw SchemaError(
                path: path, message: "Expected a schema of at most \(limits.nodes) parts.")
        }
        switch schema {
        case .boolean(true): return .anything
        case .boolean(false):
            throw SchemaError(path: path, message: "No value matches 'false'.")
        case .object: break
        default: throw SchemaError(path: path, message: "Expected a schema.")
        }
        let keywords = Keywords(schema, at: path) {
            Self.annotations.contains($0) || ($0 == "$id" && path.isEmpty)
        }
        if let reference = keywords["$ref"] {
            try keywords.allow(["$ref"])
            return try read(reference: reference, at: keywords.path("$ref"))
        }
        if keywords["anyOf"] != nil { return try readBranches("anyOf", keywords) }
        if keywords["oneOf"] != nil { return try readBranches("oneOf", keywords) }
        if keywords["allOf"] != nil { return try readAllOf(keywords) }
        if keywords["const"] != nil || keywords["enum"] != nil { return try readLiterals(keywords) }
        return try readTyped(keywords)
    }

    /// Reads and forgets: whether a schema that is never generated could be read.
    private mutating func readBranches(
        _ keyword: String, _ keywords: Keywords
    ) throws(SchemaError) -> SchemaNode {
        try keywords.allow([keyword, "type"])
        let path = keywords.path(keyword)
        let branches = try list(keywords[keyword], at: path)
        var read: [SchemaNode] = []
        for (index, branch) in branches.enumerated() {
            read.append(try self.read(branch, at: "\(path)[\(index)]"))
        }
        let known = definitions.map { $0 ?? .anything }
        if let types = try keywords.types() {
            let most = types.reduce(into: SchemaTypes()) { $0.formUnion($1) }
            for node in read where !SchemaTypes(of: node, in: known).isSubset(of: most) {
                throw SchemaError(
                    path: keywords.path("type"),
                    message: "Not enforced beside '\(keyword)' whose schemas allow other types.")
            }
        }
        if keyword == "oneOf" {
            let exclusion = SchemaExclusion(definitions: known)
            for (index, node) in read.enumerated() {
                for other in read.indices.dropFirst(index + 1)
                where !exclusion.areExclusive(node, read[other]) {
                    throw SchemaError(
                        path: path,
                        message: "Only enforced where no value can match two of its schemas; "
                            + "\(index) and \(other) may. Use 'anyOf'.")
                }
            }
        }
        return read.count == 1 ? read[0] : .anyOf(read)
    }

    private mutating func readAllOf(_ keywords: Keywords) throws(SchemaError) -> SchemaNode {
        try keywords.allow(["allOf"])
        let path = keywords.path("allOf")
        let schemas = try list(keywords["allOf"], at: path)
        guard schemas.count == 1 else {
            throw SchemaError(path: path, message: "Only enforced with one schema.")
        }
        return try read(schemas[0], at: "\(path)[0]")
    }

    private func readLiterals(_ keywords: Keywords) throws(SchemaError) -> SchemaNode {
        try keywords.allow(["const", "enum", "type"])
        var values: [JSONTree]
        let path: String
        if let constant = keywords["const"] {
            path = keywords.path("const")
            values = [constant]
            if let allowed = keywords["enum"] {
                let list = try list(allowed, at: keywords.path("enum"))
                values = values.filter { list.contains($0) }
            }
        } else {
            path = keywords.path("enum")
            values = try list(keywords["enum"], at: path)
        }
        if let types = try keywords.types() {
            let allowed = types.reduce(into: SchemaTypes()) { $0.formUnion($1) }
            values = values.filter { SchemaTypes(of: $0).isSubset(of: allowed) }
        }
        guard !values.isEmpty else { throw SchemaError(path: path, message: "No value is left.") }
        guard values.count <= limits.values else {
            throw SchemaError(path: path, message: "Expected at most \(limits.values) values.")
        }
        return .literals(values)
    }

    private mutating func readTyped(_ keywords: Keywords) throws(SchemaError) -> SchemaNode {
        guard let types = try keywords.types() else {
            guard let family = try SchemaKeywords.family(of: keywords) else { return .anything }
            // A schema without a type allows others too; they need not be reachable.
            return try read(family, keywords)
        }
        let allowed = types.flatMap(SchemaKeywords.of).map(\.self)
        try keywords.allow(Set(allowed + ["type"]))
        if types.count == 1 { return try read(types[0], keywords) }
        var branches: [SchemaNode] = []
        for type in types { branches.append(try read(type, keywords)) }
        return .anyOf(branches)
    }

    private mutating func read(
        _ type: SchemaTypes, _ keywords: Keywords
    ) throws(SchemaError) -> SchemaNode {
        switch type {
        case .null: .null
        case .boolean: .boolean
        case .integer: try readInteger(keywords)
        case .number: try readNumber(keywords)
        case .string: try readString(keywords)
        case .array: try readArray(keywords)
        default: try readObject(keywords)
        }
    }

    func list(_ value: JSONTree?, at path: String) throws(SchemaError) -> [JSONTree] {
        guard case .array(let values) = value, !values.isEmpty else {
            throw SchemaError(path: path, message: "Expected an array that is not empty.")
        }
        return values
    }

    // MARK: References

    private mutating func read(
        reference: JSONTree, at path: String
    ) throws(SchemaError) -> SchemaNode {
        guard case .string(let text) = reference else {
            throw SchemaError(path: path, message: "Expected a string.")
        }
        guard let pointer = Self.pointer(text) else {
            throw SchemaError(
                path: path, message: "Only references into the schema itself ('#/…') are followed.")
        }
        if let number = numbers[pointer] { return .reference(number) }
        guard let target = target(of: pointer) else {
            throw SchemaError(path: path, message: "Nothing is at '\(text)'.")
        }
        let number = definitions.count
        numbers[pointer] = number
        definitions.append(nil)
        // What is wrong there is told as where it is.
        let place = pointer.isEmpty ? "" : pointer.joined(separator: ".")
        definitionPaths.append(place)
        definitions[number] = try read(target, at: place)
        return .reference(number)
    }

    /// The parts of `#/…` (RFC 6901, as a fragment).
    private static func pointer(_ text: String) -> [String]? {
        if text == "#" { return [] }
        guard text.hasPrefix("#/") else { return nil }
        var parts: [String] = []
        for part in text.dropFirst(2).split(separator: "/", omittingEmptySubsequences: false) {
            guard let decoded = PercentEncoding.decode(part) else { return nil }
            parts.append(unescape(decoded))
        }
        return parts
    }

    /// `~1` is `/` and `~0` is `~`.
    private static func unescape(_ part: String) -> String {
        var result = ""
        var rest = part[...]
        while let tilde = rest.firstIndex(of: "~") {
            result += rest[..<tilde]
            let next = rest.index(after: tilde)
            let digit = next < rest.endIndex ? rest[next] : " "
            switch digit {
            case "0": result += "~"
            case "1": result += "/"
            default:
                result += "~"
                rest = rest[next...]
                continue
            }
            rest = rest[rest.index(after: next)...]
        }
        return result + rest
    }

    private func target(of pointer: [String]) -> JSONTree? {
        var value = root
        for part in pointer {
            switch value {
            case .object:
                guard let next = value[part] else { return nil }
                value = next
            case .array(let values):
                guard let index = Int(part), values.indices.contains(index) else { return nil }
                value = values[index]
            default: return nil
            }
        }
        return value
    }
}

/// The keywords of one schema that are no annotations.
struct Keywords {
    private let members: [JSONTree.Member]
    private let path: String

    init(_ schema: JSONTree, at path: String, isAnnotation: (String) -> Bool) {
        guard case .object(let members) = schema else { preconditionFailure("not an object") }
        self.members = members.filter { !isAnnotation($0.key) }
        self.path = path
    }

    var names: [String] { members.map(\.key) }

    subscript(name: String) -> JSONTree? { members.first { $0.key == name }?.value }

    func path(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

    /// Throws for the first keyword that is not one of `names`.
    func allow(_ names: Set<String>) throws(SchemaError) {
        for member in members where !names.contains(member.key) {
            throw SchemaError(
                path: path(String(member.key.prefix(64))),
                message: "This keyword cannot be enforced here.")
        }
    }

    /// Of `type`, each one alone, in its order; nil when it is absent.
    func types() throws(SchemaError) -> [SchemaTypes]? {
        let path = path("type")
        let names: [JSONTree]
        switch self["type"] {
        case nil: return nil
        case .array(let values) where !values.isEmpty: names = values
        case .string(let name): names = [.string(name)]
        default: throw SchemaError(path: path, message: "Expected a type or an array of types.")
        }
        var types: [SchemaTypes] = []
        for name in names {
            guard case .string(let name) = name, let type = SchemaTypes(name: name) else {
                throw SchemaError(path: path, message: "Expected one of JSON's types.")
            }
            if !types.contains(type) { types.append(type) }
        }
        // Integers are numbers.
        if types.contains(.number) { types.removeAll { $0 == .integer } }
        return types
    }

    func count(_ name: String, most: Int) throws(SchemaError) -> Int? {
        guard let value = self[name] else { return nil }
        guard case .number(let text) = value, let double = Double(text), double >= 0,
            double.rounded() == double
        else {
            throw SchemaError(
                path: path(name), message: "Expected an integer that is not negative.")
        }
        guard double <= Double(most) else {
            throw SchemaError(path: path(name), message: "Expected at most \(most).")
        }
        return Int(double)
    }
}

/// Which keywords say something of which type.
enum SchemaKeywords {
    static let object: Set<String> = [
        "properties", "required", "additionalProperties", "minProperties", "maxProperties",
    ]
    static let array: Set<String> = [
        "items", "prefixItems", "additionalItems", "minItems", "maxItems", "uniqueItems",
    ]
    static let string: Set<String> = ["minLength", "maxLength", "pattern", "format"]
    static let number: Set<String> = [
        "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    ]

    static func of(_ type: SchemaTypes) -> Set<String> {
        switch type {
        case .object: object
        case .array: array
        case .string: string
        case .integer, .number: number
        default: []
        }
    }

    /// The type that a schema without `type` speaks of; nil when it says nothing.
    static func family(of keywords: Keywords) throws(SchemaError) -> SchemaTypes? {
        let names = keywords.names
        guard !names.isEmpty else { return nil }
        for type in [SchemaTypes.object, .array, .string, .number]
        where names.contains(where: of(type).contains) {
            try keywords.allow(of(type))
            return type
        }
        try keywords.allow([])
        return nil
    }
}
