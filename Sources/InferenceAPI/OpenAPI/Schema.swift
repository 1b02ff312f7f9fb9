/// Builders of JSON schemas (draft 2020-12, as OpenAPI 3.1 has them).
enum Schema {
    static let any: JSONNode = [:]
    static let bool: JSONNode = ["type": "boolean"]
    static let string: JSONNode = ["type": "string"]
    static let integer: JSONNode = ["type": "integer"]
    static let count: JSONNode = ["type": "integer", "minimum": 0]
    static let number: JSONNode = ["type": "number"]
    static let anyObject: JSONNode = ["type": "object"]
    static let null: JSONNode = ["type": "null"]

    static func string(max: Int, min: Int = 0) -> JSONNode {
        var schema: JSONNode = ["type": "string", "maxLength": .integer(max)]
        if min > 0 { schema["minLength"] = .integer(min) }
        return schema
    }

    static func integer(_ range: ClosedRange<Int>) -> JSONNode {
        [
            "type": "integer", "minimum": .integer(range.lowerBound),
            "maximum": .integer(range.upperBound),
        ]
    }

    static func number(_ range: ClosedRange<Double>) -> JSONNode {
        [
            "type": "number", "minimum": .number(range.lowerBound),
            "maximum": .number(range.upperBound),
        ]
    }

    static func word(_ words: String...) -> JSONNode {
        ["type": "string", "enum": .array(words.map { .string($0) })]
    }

    static func constant(_ word: String) -> JSONNode { ["const": .string(word)] }

    static func array(_ items: JSONNode, min: Int = 0, max: Int? = nil) -> JSONNode {
        var schema: JSONNode = ["type": "array", "items": items]
        if min > 0 { schema["minItems"] = .integer(min) }
        if let max { schema["maxItems"] = .integer(max) }
        return schema
    }

    static func oneOf(_ schemas: JSONNode...) -> JSONNode { ["anyOf": .array(schemas)] }

    /// `null` stands for an absent field in requests.
    static func orNull(_ schema: JSONNode) -> JSONNode {
        if schema == null { return null }
        if case .string(let type)? = schema["type"], schema["enum"] == nil {
            var schema = schema
            schema["type"] = .array([.string(type), "null"])
            return schema
        }
        return schema == any ? any : ["anyOf": [schema, null]]
    }

    static func reference(_ name: String) -> JSONNode {
        ["$ref": .string("#/components/schemas/\(name)")]
    }

    /// Members in their order; those whose names end with `?` may be absent.
    static func object(_ members: JSONNode) -> JSONNode {
        guard case .object(let members) = members else { return anyObject }
        var properties: [JSONNode.Member] = []
        var required: [JSONNode] = []
        for member in members {
            let isOptional = member.name.hasSuffix("?")
            let name = isOptional ? String(member.name.dropLast()) : member.name
            properties.append(JSONNode.Member(name, member.value))
            if !isOptional { required.append(.string(name)) }
        }
        var schema: JSONNode = ["type": "object", "properties": .object(properties)]
        if !required.isEmpty { schema["required"] = .array(required) }
        return schema
    }

    /// `{"object":"list","data":[…]}`.
    static func list(_ items: JSONNode) -> JSONNode {
        object(["object": constant("list"), "data": array(items)])
    }
}
