/// A function that the model may call.
package struct ToolDefinition: Hashable, Sendable {
    package var name: String
    package var description: String?
    /// A JSON schema, as the client sent it; nil when the function takes nothing.
    package var parameters: String?

    package init(name: String, description: String? = nil, parameters: String? = nil) {
        self.name = name
        self.description = description
        self.parameters = parameters
    }
}

/// Whether the model calls functions.
package enum ToolChoice: Hashable, Sendable {
    case none
    /// As it likes.
    case auto
    /// At least one.
    case required
    /// This one.
    case function(String)
}

/// A call that the assistant makes, or made in an earlier turn.
package struct ChatToolCall: Hashable, Sendable, Codable {
    package var id: String
    package var name: String
    /// JSON text: as the client sent it, or as the model wrote it. Of a whole call at least `{}`.
    package var arguments: String

    package init(id: String, name: String, arguments: String) {
        self.id = id
        self.name = name
        self.arguments = arguments
    }
}
