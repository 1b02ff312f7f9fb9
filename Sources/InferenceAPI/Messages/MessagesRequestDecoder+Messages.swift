import InferenceTypes

/// `messages`: what was said so far.
extension MessagesRequestDecoder {
    private enum MessageField: String, CaseIterable {
        case role, content
    }

    private enum BlockField: String, CaseIterable {
        case type, text, thinking, id, name, input, content
        case toolUseID = "tool_use_id"
    }

    private static let messageFields = JSONKeyTable<MessageField>()
    private static let blockFields = JSONKeyTable<BlockField>()

    /// One content block, of whatever type; the fields that its type does not have are nil.
    private struct Block {
        var start: Int
        var type: String?
        var typeOffset: Int
        var text: String?
        var thinking: String?
        var id: String?
        var name: String?
        var input: String?
        var content: String?
        var toolUseID: String?
    }

    mutating func messages() throws(DecodeFailure) -> [ChatMessage] {
        let start = try reader.beginArray()
        var turns = MessagesTurns()
        var count = 0
        while try reader.nextElement() {
            count += 1
            guard count <= limits.messages else {
                throw DecodeFailure(
                    .invalidValue, "Expected at most \(limits.messages) messages.", at: start)
            }
            try message(into: &turns)
        }
        guard count > 0 else {
            throw DecodeFailure(.invalidValue, "Expected at least one message.", at: start)
        }
        if turns.messages.last?.role == .assistant {
            throw DecodeFailure(
                .unsupported,
                "An answer cannot be begun by the client here; the last message must be of the "
                    + "user.", at: start)
        }
        return turns.messages
    }

    private mutating func message(into turns: inout MessagesTurns) throws(DecodeFailure) {
        let start = try reader.beginObject()
        var role: ChatRole?
        var blocks: [Block]?
        while let field = try reader.nextField(in: Self.messageFields) {
            switch field {
            case .role:
                switch try reader.string() {
                case "user": role = .user
                case "assistant": role = .assistant
                case "system": role = .system
                default:
                    throw reader.refusal(.invalidValue, "Expected 'user' or 'assistant'.")
                }
            case .content: blocks = try content()
            }
        }
        guard let role else { throw DecodeFailure.missing("role", at: start) }
        guard let blocks else { throw DecodeFailure.missing("content", at: start) }
        turns.begin(role)
        for block in blocks { try append(block, role, to: &turns) }
        turns.end()
    }

    private func append(
        _ block: Block, _ role: ChatRole, to turns: inout MessagesTurns
    ) throws(DecodeFailure) {
        switch (block.type, role) {
        case (nil, _): throw DecodeFailure.missing("type", at: block.start)
        case ("text", _):
            guard let text = block.text else {
                throw DecodeFailure.missing("text", at: block.start)
            }
            turns.append(text: text)
        case ("tool_result", .user):
            guard let id = block.toolUseID else {
                throw DecodeFailure.missing("tool_use_id", at: block.start)
            }
            turns.append(result: block.content ?? "", of: id)
        case ("tool_use", .assistant):
            guard let id = block.id else { throw DecodeFailure.missing("id", at: block.start) }
            guard let name = block.name else {
                throw DecodeFailure.missing("name", at: block.start)
            }
            guard let input = block.input else {
                throw DecodeFailure.missing("input", at: block.start)
            }
            turns.append(ChatToolCall(id: id, name: name, arguments: input))
        case ("thinking", .assistant):
            guard let text = block.thinking else {
                throw DecodeFailure.missing("thinking", at: block.start)
            }
            turns.append(thinking: text)
        // Made unreadable by another server; there is nothing in it for a model here.
        case ("redacted_thinking", .assistant): break
        case ("image", _), ("document", _), ("container_upload", _):
            throw DecodeFailure(
                .unsupported, "This server takes text only.", at: block.typeOffset)
        case ("tool_result", _), ("tool_use", _), ("thinking", _), ("redacted_thinking", _):
            throw DecodeFailure(
                .invalidValue, "Not allowed in a message of the \(role.rawValue).",
                at: block.typeOffset)
        case (.some, _):
            throw DecodeFailure(
                .unsupported,
                "Expected 'text', 'thinking', 'tool_use' or 'tool_result'.",
                at: block.typeOffset)
        }
    }

    /// A string stands for one text block.
    private mutating func content() throws(DecodeFailure) -> [Block] {
        switch try reader.kind() {
        case .string:
            var block = Block(start: reader.valueOffset, typeOffset: reader.valueOffset)
            block.type = "text"
            block.text = try reader.string()
            return [block]
        case .array: break
        default: throw reader.refusal(.invalidType, "Expected a string or an array of blocks.")
        }
        let start = try reader.beginArray()
        var blocks: [Block] = []
        while try reader.nextElement() {
            guard blocks.count < limits.contentParts else {
                throw DecodeFailure(
                    .invalidValue, "Expected at most \(limits.contentParts) blocks.", at: start)
            }
            blocks.append(try block())
        }
        guard !blocks.isEmpty else {
            throw DecodeFailure(.invalidValue, "Expected at least one block.", at: start)
        }
        return blocks
    }

    private mutating func block() throws(DecodeFailure) -> Block {
        let start = try reader.beginObject()
        var block = Block(start: start, typeOffset: start)
        while let field = try reader.nextField(in: Self.blockFields) {
            switch field {
            case .type:
                block.typeOffset = reader.valueOffset
                block.type = try reader.string()
            case .text: block.text = try reader.string()
            case .thinking: block.thinking = try reader.string()
            case .id: block.id = try reader.string(limitBytes: limits.nameBytes)
            case .name: block.name = try reader.string(limitBytes: limits.nameBytes)
            case .input: block.input = try reader.rawObject()
            case .content: block.content = try reader.text(Self.textBlocks, limits: limits)
            case .toolUseID: block.toolUseID = try reader.string(limitBytes: limits.nameBytes)
            }
        }
        return block
    }

    static let textBlocks = TextParts(noun: "block", texts: ["text"])
}

/// Puts turns together from blocks. Consecutive turns of one role are one, as Anthropic has it.
private struct MessagesTurns {
    private(set) var messages: [ChatMessage] = []
    private var role = ChatRole.user
    private var text: String?
    private var thinking: String?
    private var calls: [ChatToolCall] = []
    /// Of calls, by id.
    private var names: [String: String] = [:]

    mutating func begin(_ role: ChatRole) {
        self.role = role
    }

    mutating func append(text more: String) {
        text = (text ?? "") + more
    }

    mutating func append(thinking more: String) {
        thinking = (thinking ?? "") + more
    }

    mutating func append(_ call: ChatToolCall) {
        names[call.id] = call.name
        calls.append(call)
    }

    mutating func append(result: String, of id: String) {
        end()
        var message = ChatMessage(role: .tool, content: result)
        message.toolCallID = id
        message.name = names[id]
        messages.append(message)
    }

    /// The end of a message, or of its part before a tool's result.
    mutating func end() {
        guard text != nil || !calls.isEmpty || thinking != nil else { return }
        if let last = messages.last, last.role == role, role != .system {
            add(to: &messages[messages.count - 1])
        } else {
            var message = ChatMessage(role: role, content: text)
            if calls.isEmpty { message.content = text ?? "" }
            message.reasoningContent = thinking
            message.toolCalls = calls
            messages.append(message)
        }
        (text, thinking, calls) = (nil, nil, [])
    }

    private func add(to message: inout ChatMessage) {
        if let text {
            message.content = message.content.map { $0 + "\n\n" + text } ?? text
        }
        if let thinking { message.reasoningContent = (message.reasoningContent ?? "") + thinking }
        message.toolCalls += calls
    }
}
