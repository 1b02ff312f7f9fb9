/// One message of a conversation, as chat templates see it.
package struct TemplateMessage: Hashable, Sendable {
    /// Whose message it is; the raw value is the template's word for it.
    package enum Role: String, Hashable, Sendable {
        /// Also for clients' `developer`.
        case system
        case user
        case assistant
        case tool
    }

    package var role: Role
    package var content: String
    /// What an assistant thought before it answered.
    package var reasoning: String?
    /// For role `tool`: the tool's name, and the call that this answers.
    package var toolName: String?
    package var toolCallID: String?

    package init(role: Role, content: String) {
        self.role = role
        self.content = content
    }

    /// The texts that a client chose.
    var texts: [String] { [content] + [reasoning, toolName, toolCallID].compactMap(\.self) }

    func mapTexts(_ transform: (String) -> String) -> TemplateMessage {
        var message = TemplateMessage(role: role, content: transform(content))
        message.reasoning = reasoning.map(transform)
        message.toolName = toolName.map(transform)
        message.toolCallID = toolCallID.map(transform)
        return message
    }
}
