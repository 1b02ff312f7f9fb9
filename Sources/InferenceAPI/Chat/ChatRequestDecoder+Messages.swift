/// `messages`: what was said so far.
extension ChatRequestDecoder {
    private enum MessageField: String, CaseIterable {
        case role, content, name
        case reasoningContent = "reasoning_content"
        case toolCalls = "tool_calls"
        case toolCallID = "tool_call_id"
        case functionCall = "function_call"
    }

    private static let parts = TextParts(
        noun: "part", texts: ["text", "input_text", "output_text"],
        media: ["image_url", "input_image", "input_audio", "file", "input_file", "video_url"],
        expected: "Expected 'text'.", takesRefusals: true, allowsNone: false)

    private enum ToolCallField: String, CaseIterable {
        case id, type, function
    }

    private enum FunctionField: String, CaseIterable {
        case name, arguments
    }

    private static let messageFields = JSONKeyTable<MessageField>()
    private static let toolCallFields = JSONKeyTable<ToolCallField>()
    private static let functionFields = JSONKeyTable<FunctionField>()

    mutating func messages() throws(DecodeFailure) -> [ChatMessage] {
        let start = try reader.beginArray()
        var messages: [ChatMessage] = []
        while try reader.nextElement() {
            guard messages.count < limits.messages else {
                throw DecodeFailure(
                    .invalidValue, "Expected at most \(limits.messages) messages.", at: start)
            }
            messages.append(try message())
        }
        guard !messages.isEmpty else {
            throw DecodeFailure(.invalidValue, "Expected at least one message.", at: start)
        }
        return messages
    }

    private mutating func message() throws(DecodeFailure) -> ChatMessage {
        let start = try reader.beginObject()
        var role: ChatRole?
        var message = ChatMessage(role: .user, content: nil)
        while let field = try reader.nextField(in: Self.messageFields) {
            switch field {
            case .role: role = try self.role()
            case .content: message.content = try reader.text(Self.parts, limits: limits)
            case .name: message.name = try reader.string(limitBytes: limits.nameBytes)
            case .reasoningContent: message.reasoningContent = try reader.string()
            case .toolCalls: message.toolCalls = try toolCalls()
            case .toolCallID:
                message.toolCallID = try reader.string(limitBytes: limits.nameBytes)
            case .functionCall:
                // The legacy form of one call, without an id.
                let call = try function()
                message.toolCalls = [
                    ChatToolCall(id: "", name: call.name, arguments: call.arguments)
                ]
            }
        }
        guard let role else { throw DecodeFailure.missing("role", at: start) }
        message.role = role
        try check(message, at: start)
        return message
    }

    /// What a role requires of the other fields, whose order is free.
    private func check(_ message: ChatMessage, at start: Int) throws(DecodeFailure) {
        if message.role != .assistant, !message.toolCalls.isEmpty {
            throw DecodeFailure(
                .invalidValue, "Only allowed in messages of the assistant.", at: start,
                field: "tool_calls")
        }
        if message.role == .tool, message.toolCallID == nil {
            throw DecodeFailure.missing("tool_call_id", at: start)
        }
        guard message.content == nil, message.toolCalls.isEmpty else { return }
        throw DecodeFailure(
            .missingParameter,
            message.role == .assistant
                ? "Required unless the message has 'tool_calls'." : "Missing required parameter.",
            at: start, field: "content")
    }

    private mutating func role() throws(DecodeFailure) -> ChatRole {
        guard let role = ChatRole(rawValue: try reader.string()) else {
            throw reader.refusal(
                .invalidValue,
                "Expected 'system', 'developer', 'user', 'assistant', 'tool' or 'function'.")
        }
        return role
    }

    private mutating func toolCalls() throws(DecodeFailure) -> [ChatToolCall] {
        let start = try reader.beginArray()
        var calls: [ChatToolCall] = []
        while try reader.nextElement() {
            guard calls.count < limits.toolCalls else {
                throw DecodeFailure(
                    .invalidValue, "Expected at most \(limits.toolCalls) calls.", at: start)
            }
            calls.append(try toolCall())
        }
        return calls
    }

    private mutating func toolCall() throws(DecodeFailure) -> ChatToolCall {
        let start = try reader.beginObject()
        var id: String?
        var called: (name: String, arguments: String)?
        while let field = try reader.nextField(in: Self.toolCallFields) {
            switch field {
            case .id: id = try reader.string(limitBytes: limits.nameBytes)
            case .type:
                guard try reader.string() == "function" else {
                    throw reader.refusal(.invalidValue, "Expected 'function'.")
                }
            case .function: called = try function()
            }
        }
        guard let id else { throw DecodeFailure.missing("id", at: start) }
        guard let called else { throw DecodeFailure.missing("function", at: start) }
        return ChatToolCall(id: id, name: called.name, arguments: called.arguments)
    }

    private mutating func function() throws(DecodeFailure) -> (name: String, arguments: String) {
        let start = try reader.beginObject()
        var name: String?
        var arguments: String?
        while let field = try reader.nextField(in: Self.functionFields) {
            switch field {
            case .name: name = try reader.string(limitBytes: limits.nameBytes)
            case .arguments: arguments = try reader.string()
            }
        }
        guard let name else { throw DecodeFailure.missing("name", at: start) }
        guard let arguments else { throw DecodeFailure.missing("arguments", at: start) }
        return (name, arguments)
    }
}
