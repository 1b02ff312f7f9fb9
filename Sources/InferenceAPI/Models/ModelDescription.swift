package import NIOCore

/// A model as clients see it (API.md §7).
package struct ModelDescription: Hashable, Sendable {
    /// The name that answers carry.
    package var id: String
    /// Other names that requests may use.
    package var aliases: [String]
    /// Unix seconds.
    package var created: Int
    package var ownedBy: String
    /// Listed by `/v1/embedding-models` too.
    package var embeds = false

    package init(id: String, aliases: [String] = [], created: Int, ownedBy: String) {
        self.id = id
        self.aliases = aliases
        self.created = created
        self.ownedBy = ownedBy
    }

    /// Appends the answer to `GET /v1/models/{id}`.
    package func write(into buffer: inout ByteBuffer) {
        buffer.writeStaticString("{\"id\":")
        buffer.writeJSONString(id)
        buffer.writeStaticString(",\"object\":\"model\",\"created\":")
        buffer.writeJSONInteger(created)
        // A string, as OpenAI has it (trap 26).
        buffer.writeStaticString(",\"owned_by\":")
        buffer.writeJSONString(ownedBy)
        buffer.writeStaticString("}")
    }
}

/// The models that are served, in the order in which they are listed.
package struct ModelList: Hashable, Sendable {
    package let models: [ModelDescription]

    package init(_ models: [ModelDescription]) {
        self.models = models
    }

    /// The model of that name or alias. Names win over aliases, earlier models over later ones.
    /// Throws `modelNotFound`.
    package func find(_ name: String) throws(APIError) -> ModelDescription {
        if let model = models.first(where: { $0.id == name }) { return model }
        if let model = models.first(where: { $0.aliases.contains(name) }) { return model }
        throw .modelNotFound(name)
    }

    /// Appends the answer to `GET /v1/models`.
    package func write(into buffer: inout ByteBuffer) {
        buffer.writeStaticString("{\"object\":\"list\",\"data\":[")
        for (index, model) in models.enumerated() {
            if index > 0 { buffer.writeStaticString(",") }
            model.write(into: &buffer)
        }
        buffer.writeStaticString("]}")
    }
}
