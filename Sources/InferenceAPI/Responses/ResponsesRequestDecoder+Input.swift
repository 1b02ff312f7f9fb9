import InferenceTypes

/// `input`: what was said and done so far.
extension ResponsesRequestDecoder {
    private enum ItemField: String, CaseIterable {
        case type, role, content, name, arguments, output, summary
        case callID = "call_id"
    }

    private static let itemFields = JSONKeyTable<ItemField>()

    /// One input item, of whatever type; the fields that its type does not have are nil.
    private struct Item {
        var type: String?
        var typeOffset: Int
        var role: String?
        var roleOffset = 0
        var content: String?
        var name: String?
        var arguments: String?
        var output: String?
        var summary: String?
        var callID: String?
    }

    mutating func input() throws(DecodeFailure) -> [ChatMessage] {
        switch try reader.kind() {
        case .string: return [ChatMessage(role: .user, content: try reader.string())]
        case .array: break
        default: throw reader.refusal(.invalidType, "Expected a string or an array of items.")
        }
        let start = try reader.beginArray()
        var turns = ResponsesTurns()
        var count = 0
        while try reader.nextElement() {
            count += 1
            guard count <= limits.messages else {
                throw DecodeFailure(
                    .invalidValue, "Expected at most \(limits.messages) items.", at: start)
            }
            try append(to: &turns)
        }
        guard count > 0 else {
            throw DecodeFailure(.invalidValue, "Expected at least one item.", at: start)
        }
        guard !turns.messages.isEmpty else {
            throw DecodeFailure(
                .invalidValue, "Expected a message, a call or the output of one.", at: start)
        }
        return turns.messages
    }

    private mutating func append(to turns: inout ResponsesTurns) throws(DecodeFailure) {
        let start = try reader.beginObject()
        var item = Item(typeOffset: start)
        while let field = try reader.nextField(in: Self.itemFields) {
            switch field {
            case .type:
                item.typeOffset = reader.valueOffset
                item.type = try reader.string()
            case .role:
                item.roleOffset = reader.valueOffset
                item.role = try reader.string()
            case .content: item.content = try reader.text(Self.parts, limits: limits)
            case .name: item.name = try reader.string(limitBytes: limits.nameBytes)
            case .arguments: item.arguments = try reader.string()
            case .output: item.output = try reader.text(Self.parts, limits: limits)
            case .summary: item.summary = try reader.text(Self.parts, limits: limits)
            case .callID: item.callID = try reader.string(limitBytes: limits.nameBytes)
            }
        }
        switch item.type {
        case "message": try appendMessage(item, at: start, to: &turns)
        // Only messages may leave their type out.
        case nil:
            guard item.role != nil else { throw DecodeFailure.missing("type", at: start) }
            try appendMessage(item, at: start, to: &turns)
        case "function_call":
            guard let id = item.callID else { throw DecodeFailure.missing("call_id", at: start) }
            guard let name = item.name else { throw DecodeFailure.missing("name", at: start) }
            guard let arguments = item.arguments else {
                throw DecodeFailure.missing("arguments", at: start)
            }
            turns.append(ChatToolCall(id: id, name: name, arguments: arguments))
        case "function_call_output":
            guard let id = item.callID else { throw DecodeFailure.missing("call_id", at: start) }
            guard let output = item.output else { throw DecodeFailure.missing("output", at: start) }
            turns.append(output: output, of: id)
        case "reasoning": turns.append(reasoning: item.content ?? item.summary ?? "")
        case .some:
            throw DecodeFailure(
                .unsupported,
                "Expected 'message', 'function_call', 'function_call_output' or 'reasoning'.",
                at: item.typeOffset)
        }
    }

    private func appendMessage(
        _ item: Item, at start: Int, to turns: inout ResponsesTurns
    ) throws(DecodeFailure) {
        guard let role = item.role else { throw DecodeFailure.missing("role", at: start) }
        guard let content = item.content else { throw DecodeFailure.missing("content", at: start) }
        switch ChatRole(rawValue: role) {
        case .some(let role) where role != .tool && role != .function:
            turns.append(content, role: role)
        default:
            throw DecodeFailure(
                .invalidValue, "Expected 'user', 'assistant', 'system' or 'developer'.",
                at: item.roleOffset)
        }
    }

    private static let parts = TextParts(
        noun: "part",
        texts: ["input_text", "output_text", "text", "summary_text", "reasoning_text"],
        media: ["input_image", "input_file", "input_audio", "image_url", "computer_screenshot"],
        expected: "Expected 'input_text' or 'output_text'.", takesRefusals: true)
}

/// Puts turns together from items: what the assistant thought, said and called in a row is one
/// message of it.
private struct ResponsesTurns {
    private(set) var messages: [ChatMessage] = []
    /// Of the assistant's message that comes next; without one, nobody's.
    private var reasoning: String?
    /// Of calls, by id.
    private var names: [String: String] = [:]

    mutating func append(reasoning text: String) {
        reasoning = (reasoning ?? "") + text
    }

    mutating func append(_ text: String, role: ChatRole) {
        var message = ChatMessage(role: role, content: text)
        if role == .assistant { message.reasoningContent = takeReasoning() }
        messages.append(message)
    }

    mutating func append(_ call: ChatToolCall) {
        names[call.id] = call.name
        if reasoning != nil || messages.last?.role != .assistant {
            var message = ChatMessage(role: .assistant, content: nil)
            message.reasoningContent = takeReasoning()
            messages.append(message)
        }
        messages[messages.count - 1].toolCalls.append(call)
    }

    mutating func append(output: String, of id: String) {
        var message = ChatMessage(role: .tool, content: output)
        message.toolCallID = id
        message.name = names[id]
        messages.append(message)
    }

    private mutating func takeReasoning() -> String? {
        defer { reasoning = nil }
        return reasoning.flatMap { $0.isEmpty ? nil : $0 }
    }
}
