/// Which of JSON's types the values that match a schema may have.
struct SchemaTypes: OptionSet, Hashable {
    let rawValue: UInt8

    static let null = SchemaTypes(rawValue: 1)
    static let boolean = SchemaTypes(rawValue: 2)
    static let integer = SchemaTypes(rawValue: 4)
    /// Integers are numbers.
    static let number = SchemaTypes(rawValue: 4 | 8)
    static let string = SchemaTypes(rawValue: 16)
    static let array = SchemaTypes(rawValue: 32)
    static let object = SchemaTypes(rawValue: 64)
    static let all = SchemaTypes(rawValue: 127)

    init(rawValue: UInt8) { self.rawValue = rawValue }

    init?(name: String) {
        switch name {
        case "null": self = .null
        case "boolean": self = .boolean
        case "integer": self = .integer
        case "number": self = .number
        case "string": self = .string
        case "array": self = .array
        case "object": self = .object
        default: return nil
        }
    }

    init(of value: JSONTree) {
        switch value {
        case .null: self = .null
        case .boolean: self = .boolean
        case .number(let text):
            let number = Double(text) ?? .nan
            self = number.rounded() == number ? .integer : SchemaTypes(rawValue: 8)
        case .string: self = .string
        case .array: self = .array
        case .object: self = .object
        }
    }

    /// At least those that `node` allows.
    init(of node: SchemaNode, in definitions: [SchemaNode], depth: Int = 0) {
        switch node {
        case .anything: self = .all
        case .null: self = .null
        case .boolean: self = .boolean
        case .integer: self = .integer
        case .number: self = .number
        case .string, .pattern: self = .string
        case .literals(let values):
            self = values.reduce(into: []) { $0.formUnion(SchemaTypes(of: $1)) }
        case .array, .tuple: self = .array
        case .object: self = .object
        case .anyOf(let branches):
            self = branches.reduce(into: []) {
                $0.formUnion(SchemaTypes(of: $1, in: definitions, depth: depth + 1))
            }
        case .reference(let number):
            // Chains of references are short, or circular.
            self =
                depth < 16
                ? SchemaTypes(of: definitions[number], in: definitions, depth: depth + 1) : .all
        }
    }
}

/// Whether two schemas can be told apart: no value matches both. Errs towards "no".
struct SchemaExclusion {
    let definitions: [SchemaNode]
    private static let depthMax = 16

    func areExclusive(_ left: SchemaNode, _ right: SchemaNode, depth: Int = 0) -> Bool {
        guard depth < Self.depthMax else { return false }
        switch (left, right) {
        case (.reference(let number), _):
            return areExclusive(definitions[number], right, depth: depth + 1)
        case (_, .reference(let number)):
            return areExclusive(left, definitions[number], depth: depth + 1)
        case (.anyOf(let branches), let other), (let other, .anyOf(let branches)):
            return branches.allSatisfy { areExclusive($0, other, depth: depth + 1) }
        default: break
        }
        let types = SchemaTypes(of: left, in: definitions)
        if types.isDisjoint(with: SchemaTypes(of: right, in: definitions)) { return true }
        switch (left, right) {
        case (.literals(let one), .literals(let two)):
            return one.allSatisfy { value in two.allSatisfy { Self.differ(value, $0) } }
        case (.object(let one), .object(let two)):
            // A property that both require, with values that differ (a discriminator).
            return one.properties.contains { property in
                property.isRequired
                    && two.properties.contains { other in
                        other.isRequired && other.name == property.name
                            && areExclusive(property.node, other.node, depth: depth + 1)
                    }
            }
        default: return false
        }
    }

    /// Whether two values are surely not equal.
    private static func differ(_ left: JSONTree, _ right: JSONTree) -> Bool {
        switch (left, right) {
        case (.number(let one), .number(let two)): Double(one) != Double(two)
        case (.array, .array), (.object, .object): false
        default: left != right
        }
    }
}

/// Whether what refers to itself can end, and begins with something of its own.
enum SchemaRecursion {
    static func check(_ definitions: [SchemaNode], paths: [String]) throws(SchemaError) {
        // Which can end: the least fixed point.
        var ends = [Bool](repeating: false, count: definitions.count)
        var hasChanged = true
        while hasChanged {
            hasChanged = false
            for index in definitions.indices where !ends[index] {
                if canEnd(definitions[index], ends) {
                    ends[index] = true
                    hasChanged = true
                }
            }
        }
        if let endless = ends.firstIndex(of: false) {
            throw SchemaError(path: paths[endless], message: "No value that ends matches this.")
        }
        for index in definitions.indices where reaches(index, from: index, definitions) {
            throw SchemaError(path: paths[index], message: "Refers to itself at once.")
        }
    }

    private static func canEnd(_ node: SchemaNode, _ ends: [Bool]) -> Bool {
        switch node {
        case .reference(let number): ends[number]
        case .anyOf(let branches): branches.contains { canEnd($0, ends) }
        case .array(let item, let least, _): least == 0 || canEnd(item, ends)
        case .tuple(let items): items.allSatisfy { canEnd($0, ends) }
        case .object(let object):
            object.properties.allSatisfy { !$0.isRequired || canEnd($0.node, ends) }
                && (object.least == 0 || object.others.map { canEnd($0, ends) } ?? true)
        default: true
        }
    }

    /// Whether `target` is met without an array or object around it.
    private static func reaches(
        _ target: Int, from start: Int, _ definitions: [SchemaNode]
    ) -> Bool {
        var seen: Set<Int> = []
        var open = [definitions[start]]
        while let node = open.popLast() {
            switch node {
            case .anyOf(let branches): open += branches
            case .reference(target): return true
            case .reference(let number):
                if seen.insert(number).inserted { open.append(definitions[number]) }
            default: break
            }
        }
        return false
    }
}
