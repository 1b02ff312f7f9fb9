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
    /// For role `assistant`: what it called then.
    package var toolCalls: [TemplateCall] = []

    package init(role: Role, content: String) {
        self.role = role
        self.content = content
    }

    /// The texts that a client chose.
    var texts: [String] {
        [content] + [reasoning, toolName, toolCallID].compactMap(\.self)
            + toolCalls.flatMap { [$0.id, $0.name, $0.arguments] }
    }

    func mapTexts(
        _ transform: (String) -> String, json transformJSON: (String) -> String
    ) -> TemplateMessage {
        var message = TemplateMessage(role: role, content: transform(content))
        message.reasoning = reasoning.map(transform)
        message.toolName = toolName.map(transform)
        message.toolCallID = toolCallID.map(transform)
        message.toolCalls = toolCalls.map {
            TemplateCall(
                id: transform($0.id), name: transform($0.name),
                arguments: transformJSON($0.arguments))
        }
        return message
    }
}

/// A call of an earlier turn.
package struct TemplateCall: Hashable, Sendable {
    package var id: String
    package var name: String
    /// JSON; what is none is rendered as a string.
    package var arguments: String

    package init(id: String, name: String, arguments: String) {
        self.id = id
        self.name = name
        self.arguments = arguments
    }
}

/// A function that the model is told of.
package struct TemplateTool: Hashable, Sendable {
    package var name: String
    package var description: String
    /// A JSON schema.
    package var parameters: String

    package init(name: String, description: String, parameters: String) {
        self.name = name
        self.description = description
        self.parameters = parameters
    }

    var texts: [String] { [name, description, parameters] }
}

/// What a template renders.
package struct TemplateConversation: Hashable, Sendable {
    package var messages: [TemplateMessage]
    /// For templates with `supportsTools`.
    package var tools: [TemplateTool] = []
    /// False asks templates that can to begin the answer without reasoning.
    package var allowsThinking = true
    /// How much to think, for templates that ask: `low`, `medium` or `high`.
    package var thinkingEffort: String?

    package init(messages: [TemplateMessage]) {
        self.messages = messages
    }

    var texts: [String] { messages.flatMap(\.texts) + tools.flatMap(\.texts) }

    /// With JSON in one form, so that no escape hides a character from `ContentMask`.
    func normalized() throws(TokenizationError) -> TemplateConversation {
        guard !tools.isEmpty || messages.contains(where: { !$0.toolCalls.isEmpty }) else {
            return self
        }
        var result = self
        for (index, tool) in tools.enumerated() {
            guard let parameters = NormalJSON.text(tool.parameters) else {
                throw .templateRefused(reason: "the parameters of \(tool.name) are no JSON")
            }
            result.tools[index].parameters = parameters
        }
        for (index, message) in messages.enumerated() {
            for (number, call) in message.toolCalls.enumerated() {
                result.messages[index].toolCalls[number].arguments =
                    NormalJSON.text(call.arguments) ?? NormalJSON.string(call.arguments)
            }
        }
        return result
    }

    func mapTexts(
        _ transform: (String) -> String, json transformJSON: (String) -> String
    ) -> TemplateConversation {
        var result = self
        result.messages = messages.map { $0.mapTexts(transform, json: transformJSON) }
        result.tools = tools.map {
            TemplateTool(
                name: transform($0.name), description: transform($0.description),
                parameters: transformJSON($0.parameters))
        }
        return result
    }
}
