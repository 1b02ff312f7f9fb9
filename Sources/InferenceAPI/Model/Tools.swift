/// A function that the model may call.
package struct ToolDefinition: Hashable, Sendable {
    package var name: String
    package var description: String?
    /// A JSON schema, as the client sent it; nil when the function takes nothing.
    package var parameters: String?
    /// The arguments of every call must match the schema, also where the model calls as it likes.
    package var isStrict = false

    package init(name: String, description: String? = nil, parameters: String? = nil) {
        self.name = name
        self.description = description
        self.parameters = parameters
    }

    /// Whether every face takes this as a function's name.
    package static func isName(_ name: String) -> Bool {
        (1...64).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
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
