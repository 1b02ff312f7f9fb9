/// Why a schema is refused: a keyword, or a value of one, that could not be enforced.
package struct SchemaError: Error, Hashable, Sendable {
    /// Of the keyword, from the schema's root: `properties.price.multipleOf`; empty for the root.
    package var path: String
    package var message: String

    /// As clients are told.
    ///
    /// - Parameter name: of the parameter that holds the schema.
    package func apiError(in name: String) -> APIError {
        let place = path.isEmpty ? name : path.hasPrefix("[") ? name + path : "\(name).\(path)"
        return APIError(.invalidValue, "'\(place)': \(message)", parameter: place)
    }
}

/// Bounds on what is done for one schema. Over one of them: `SchemaError`.
package struct SchemaLimits: Hashable, Sendable {
    package var json = JSONLimits()
    /// Schemas in it, all its parts counted.
    package var nodes = 2_048
    /// Values of one `enum`.
    package var values = 1_024
    /// Characters of one `pattern`.
    package var patternCharacters = 1_024
    /// Of `minLength`, `minItems` and `minProperties`, and of counts in patterns.
    package var least = 2_000
    /// Bytes of the grammar; what workers take.
    package var grammarBytes = 256 << 10

    package init() {}
}

/// A JSON schema of which every keyword is enforced: what `grammar` lets through validates.
///
/// Understood as JSON Schema 2020-12 says (and 7, where that is the same), except that a value need
/// not be reachable: objects that name properties get no others, strings of some formats come in
/// their most usual form, numbers have at most 15 digits. What cannot be enforced is refused, with
/// the keyword's path.
package struct JSONSchema: Hashable, Sendable {
    let root: SchemaNode
    /// What `SchemaNode.reference` refers to.
    let definitions: [SchemaNode]

    /// Throws `SchemaError`.
    package init(
        parsing text: String, limits: SchemaLimits = SchemaLimits()
    ) throws(SchemaError) {
        let tree: JSONTree
        do {
            tree = try JSONTree(parsing: text, limits: limits.json)
        } catch {
            throw SchemaError(path: "", message: "Expected JSON: \(error).")
        }
        var reader = SchemaReader(tree, limits: limits)
        root = try reader.readRoot()
        definitions = reader.definitions.map { $0 ?? .null }
        try SchemaRecursion.check(definitions, paths: reader.definitionPaths)
    }

    /// An object of anything: of functions that say nothing of their arguments.
    package static let anyObject = JSONSchema(
        root: .object(SchemaObject(properties: [], others: .anything)), definitions: [])

    /// An object without properties.
    package static let emptyObject = JSONSchema(
        root: .object(SchemaObject(properties: [], others: nil)), definitions: [])

    private init(root: SchemaNode, definitions: [SchemaNode]) {
        self.root = root
        self.definitions = definitions
    }

    /// Whether every value that it allows is an object.
    package var isObject: Bool {
        SchemaTypes(of: root, in: definitions) == .object
    }
}

/// One schema. Only what can be enforced has a form here.
indirect enum SchemaNode: Hashable, Sendable {
    case anything
    case null
    case boolean
    /// Half-open nowhere: both bounds belong to it. At most 15 digits.
    case integer(ClosedRange<Int64>)
    case number(SchemaNumberRange)
    case string(least: Int, most: Int?)
    case pattern(SchemaPattern)
    /// `const` and `enum`; never empty.
    case literals([JSONTree])
    case array(SchemaNode, least: Int, most: Int?)
    case tuple([SchemaNode])
    case object(SchemaObject)
    /// Never empty.
    case anyOf([SchemaNode])
    /// Index in `JSONSchema.definitions`.
    case reference(Int)
}

struct SchemaObject: Hashable, Sendable {
    struct Property: Hashable, Sendable {
        var name: String
        var node: SchemaNode
        var isRequired: Bool
    }

    /// In the schema's order, which is the order of the output.
    var properties: [Property]
    /// Of all other properties; nil when there are none.
    var others: SchemaNode?
    /// How many properties there are; only said where none are named.
    var least = 0
    var most: Int?
}

/// Bounds of `number`. Whole, since a grammar compares digits.
struct SchemaNumberRange: Hashable, Sendable {
    struct Bound: Hashable, Sendable {
        var value: Int64
        var isIncluded: Bool
    }

    var least: Bound?
    var most: Bound?

    static let unlimited = SchemaNumberRange()

    func contains(_ value: Double) -> Bool {
        if let least {
            let bound = Double(least.value)
            guard least.isIncluded ? value >= bound : value > bound else { return false }
        }
        if let most {
            let bound = Double(most.value)
            guard most.isIncluded ? value <= bound : value < bound else { return false }
        }
        return true
    }
}
