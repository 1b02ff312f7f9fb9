import InferenceTypes

/// What the answer may call.
extension MessagesRequestDecoder {
    private enum ToolField: String, CaseIterable {
        case type, name, description
        case inputSchema = "input_schema"
    }

    private enum ChoiceField: String, CaseIterable {
        case type, name
        case disablesParallelUse = "disable_parallel_tool_use"
    }

    private static let toolFields = JSONKeyTable<ToolField>()
    private static let choiceFields = JSONKeyTable<ChoiceField>()

    mutating func decodeTools() throws(DecodeFailure) {
        let start = try reader.beginArray()
        request.tools.removeAll()
        while try reader.nextElement() {
            guard request.tools.count < limits.tools else {
                throw DecodeFailure(
                    .invalidValue, "Expected at most \(limits.tools) tools.", at: start)
            }
            request.tools.append(try tool())
        }
    }

    private mutating func tool() throws(DecodeFailure) -> ToolDefinition {
        let start = try reader.beginObject()
        var tool = ToolDefinition(name: "")
        while let field = try reader.nextField(in: Self.toolFields) {
            switch field {
            case .type:
                guard try reader.string() == "custom" else {
                    throw reader.unsupported(
                        "Only tools with a schema of their own are served; expected 'custom'.")
                }
            case .name: tool.name = try reader.string(limitBytes: limits.nameBytes)
            case .description: tool.description = try reader.string()
            case .inputSchema: tool.parameters = try reader.rawObject()
            }
        }
        guard !tool.name.isEmpty else { throw DecodeFailure.missing("name", at: start) }
        guard tool.parameters != nil else { throw DecodeFailure.missing("input_schema", at: start) }
        return tool
    }

    mutating func decodeToolChoice() throws(DecodeFailure) {
        let start = try reader.beginObject()
        toolChoiceOffset = start
        var type: String?
        var typeOffset = start
        var name: String?
        while let field = try reader.nextField(in: Self.choiceFields) {
            switch field {
            case .type:
                typeOffset = reader.valueOffset
                type = try reader.string()
            case .name: name = try reader.string(limitBytes: limits.nameBytes)
            case .disablesParallelUse: request.allowsParallelToolCalls = try !reader.bool()
            }
        }
        switch type {
        case nil: throw DecodeFailure.missing("type", at: start)
        case "auto": request.toolChoice = .auto
        case "any": request.toolChoice = .required
        case "none": request.toolChoice = .none
        case "tool":
            guard let name else { throw DecodeFailure.missing("name", at: start) }
            request.toolChoice = .function(name)
        case .some:
            throw DecodeFailure(
                .invalidValue, "Expected 'auto', 'any', 'tool' or 'none'.", at: typeOffset)
        }
    }

    func settleTools() throws(DecodeFailure) {
        switch request.toolChoice {
        case .function(let name) where !request.tools.contains { $0.name == name }:
            throw DecodeFailure(
                .invalidValue, "There is no tool '\(name.prefix(64))' among the tools.",
                at: toolChoiceOffset)
        case .required where request.tools.isEmpty:
            throw DecodeFailure(
                .invalidValue, "Only allowed with 'tools'.", at: toolChoiceOffset)
        default: break
        }
    }
}
