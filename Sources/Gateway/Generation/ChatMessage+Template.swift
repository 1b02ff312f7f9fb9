import InferenceAPI
import Tokenization

extension ChatMessage {
    /// This message as chat templates see it.
    var templateMessage: TemplateMessage {
        var message = TemplateMessage(role: templateRole, content: content ?? "")
        message.reasoning = reasoningContent
        if templateRole == .tool {
            message.toolName = name
            message.toolCallID = toolCallID
        }
        message.toolCalls = toolCalls.map {
            TemplateCall(id: $0.id, name: $0.name, arguments: $0.arguments)
        }
        return message
    }

    private var templateRole: TemplateMessage.Role {
        switch role {
        case .system, .developer: .system
        case .user: .user
        case .assistant: .assistant
        case .tool, .function: .tool
        }
    }
}
