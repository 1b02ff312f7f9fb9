/// One field of a request's body: what it may be, and what becomes of it.
package struct BodyField: Hashable, Sendable {
    package enum Verdict: String, Hashable, Sendable {
        case honoured
        /// Read or not, it changes nothing.
        case ignored
        /// A value that asks for something gets 400.
        case refused
        /// Some values are honoured, others refused.
        case partly
    }

    package let name: String
    let schema: JSONNode
    package let verdict: Verdict
    package let note: String
    package let isRequired: Bool

    init(
        _ name: String, _ schema: JSONNode, _ verdict: Verdict = .honoured, _ note: String = "",
        isRequired: Bool = false
    ) {
        self.name = name
        self.schema = schema
        self.verdict = verdict
        self.note = note
        self.isRequired = isRequired
    }
}

/// The body of a kind of request, as `/openapi.json` and `docs/api-compatibility.md` tell it. A
/// test compares the fields with those that the decoder looks at.
package struct BodyDescription: Hashable, Sendable {
    /// Of its schema.
    package let name: String
    /// For people.
    package let title: String
    package let fields: [BodyField]

    /// Fields may be `null` for absent; those that nobody knows are ignored.
    var schema: JSONNode {
        var properties: [JSONNode.Member] = []
        var required: [JSONNode] = []
        for field in fields {
            var schema = field.isRequired ? field.schema : Schema.orNull(field.schema)
            if !field.note.isEmpty { schema["description"] = .string(field.note) }
            properties.append(JSONNode.Member(field.name, schema))
            if field.isRequired { required.append(.string(field.name)) }
        }
        var schema: JSONNode = ["type": "object", "properties": .object(properties)]
        if !required.isEmpty { schema["required"] = .array(required) }
        return schema
    }
}
