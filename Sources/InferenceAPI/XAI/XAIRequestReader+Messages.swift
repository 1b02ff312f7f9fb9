import XAIProto

/// `messages`: what was said so far.
extension XAIRequestReader {
    func messages() throws(APIError) -> [ChatMessage] {
        guard !message.messages.isEmpty else {
            throw .field("messages", "Expected at least one message.", .missingParameter)
        }
        guard message.messages.count <= limits.messages else {
            throw .field("messages", "Expected at most \(limits.messages) messages.")
        }
        var messages: [ChatMessage] = []
        messages.reserveCapacity(message.messages.count)
        for (index, turn) in message.messages.enumerated() {
            messages.append(try self.message(turn, "messages[\(index)]"))
        }
        return messages
    }

    private func message(
        _ turn: XaiApi_Message, _ path: String
    ) throws(APIError) -> ChatMessage {
        let role = try role(turn.role, path)
        var message = ChatMessage(role: role, content: try content(turn.content, path))
        if !turn.name.isEmpty {
            message.name = try Self.bounded(turn.name, path + ".name", limits)
        }
        if turn.hasReasoningContent { message.reasoningContent = turn.reasoningContent }
        if turn.hasToolCallID {
            message.toolCallID = try Self.bounded(
                turn.toolCallID, path + ".tool_call_id", limits)
        }
        message.toolCalls = try toolCalls(turn.toolCalls, path)
        guard role == .assistant || message.toolCalls.isEmpty else {
            throw .field(path + ".tool_calls", "Only allowed in messages of the assistant.")
        }
        try check(content: &message, of: turn, path)
        return message
    }

    /// A turn needs content, but for the assistant's that calls tools.
    private func check(
        content message: inout ChatMessage, of turn: XaiApi_Message, _ path: String
    ) throws(APIError) {
        if message.content?.isEmpty ?? true, !message.toolCalls.isEmpty { message.content = nil }
        // Beside readable content it is the trace of reasoning; alone it is all there is.
        if message.content?.isEmpty ?? true, message.toolCalls.isEmpty,
            !turn.encryptedContent.isEmpty
        {
            throw .field(
                path + ".encrypted_content", "This server cannot read encrypted content.",
                .unsupported)
        }
        guard message.content == nil, message.toolCalls.isEmpty else { return }
        throw .field(path + ".content", "Missing required field.", .missingParameter)
    }

    private func role(
        _ role: XaiApi_MessageRole, _ path: String
    ) throws(APIError) -> ChatRole {
        switch role {
        case .roleUser: .user
        case .roleAssistant: .assistant
        case .roleSystem: .system
        case .roleFunction: .function
        case .roleTool: .tool
        case .roleDeveloper: .developer
        case .invalidRole, .UNRECOGNIZED: throw .field(path + ".role", "This is not a role.")
        }
    }

    /// Text parts joined; nil when there are none.
    private func content(
        _ parts: [XaiApi_Content], _ path: String
    ) throws(APIError) -> String? {
        guard parts.count <= limits.contentParts else {
            throw .field(path + ".content", "Expected at most \(limits.contentParts) parts.")
        }
        var text: String?
        for (index, part) in parts.enumerated() {
            switch part.content {
            case .text(let more): text = (text ?? "") + more
            case .imageURL, .file:
                throw .field(
                    "\(path).content[\(index)]", "This server takes text only.", .unsupported)
            case nil: throw .field("\(path).content[\(index)]", "Expected text.")
            }
        }
        return text
    }

    private func toolCalls(
        _ calls: [XaiApi_ToolCall], _ path: String
    ) throws(APIError) -> [ChatToolCall] {
        guard calls.count <= limits.toolCalls else {
            throw .field(path + ".tool_calls", "Expected at most \(limits.toolCalls) calls.")
        }
        var result: [ChatToolCall] = []
        for (index, call) in calls.enumerated() {
            let path = "\(path).tool_calls[\(index)]"
            switch call.type {
            case .invalid, .clientSideTool: break
            default:
                throw .field(path + ".type", "This server has no tools of its own.", .unsupported)
            }
            guard case .function(let function)? = call.tool else {
                throw .field(path + ".function", "Missing required field.", .missingParameter)
            }
            result.append(
                ChatToolCall(
                    id: try Self.bounded(call.id, path + ".id", limits),
                    name: try Self.name(function.name, path + ".function.name", limits),
                    arguments: function.arguments.isEmpty ? "{}" : function.arguments))
        }
        return result
    }
}

/// `tools` and `tool_choice`.
extension XAIRequestReader {
    func tools() throws(APIError) -> [ToolDefinition] {
        guard message.tools.count <= Self.toolsLimit else {
            throw .field("tools", "Expected at most \(Self.toolsLimit) tools.")
        }
        var tools: [ToolDefinition] = []
        for (index, tool) in message.tools.enumerated() {
            let path = "tools[\(index)]"
            guard case .function(let function)? = tool.tool else {
                throw .field(path, "This server has no tools of its own.", .unsupported)
            }
            if !function.parameters.isEmpty {
                try requireJSONObject(function.parameters, path + ".function.parameters")
            }
            tools.append(
                ToolDefinition(
                    name: try Self.name(function.name, path + ".function.name", limits),
                    description: function.description_p.isEmpty ? nil : function.description_p,
                    parameters: function.parameters.isEmpty ? nil : function.parameters))
        }
        return tools
    }

    func toolChoice(among tools: [ToolDefinition]) throws(APIError) -> ToolChoice {
        guard message.hasToolChoice else { return .auto }
        switch message.toolChoice.toolChoice {
        case nil, .mode(.auto), .mode(.invalid): return .auto
        case .mode(.none): return .none
        case .mode(.required):
            guard !tools.isEmpty else {
                throw .field("tool_choice.mode", "There are no tools to be called.")
            }
            return .required
        case .mode(.UNRECOGNIZED):
            throw .field("tool_choice.mode", "This mode is not known.")
        case .functionName(let name):
            guard tools.contains(where: { $0.name == name }) else {
                throw .field("tool_choice.function_name", "There is no tool of that name.")
            }
            return .function(name)
        }
    }
}
