/// `tools`, `tool_choice` and their older names `functions` and `function_call`.
extension ChatRequestDecoder {
    private enum ToolField: String, CaseIterable {
        case type, function
    }

    private enum DefinitionField: String, CaseIterable {
        case name, description, parameters, strict
    }

    private enum ChoiceField: String, CaseIterable {
        case type, function, name
    }

    private static let toolFields = JSONKeyTable<ToolField>()
    private static let definitionFields = JSONKeyTable<DefinitionField>()
    private static let choiceFields = JSONKeyTable<ChoiceField>()

    mutating func decodeTools() throws(DecodeFailure) {
        let start = try reader.beginArray()
        var tools: [ToolDefinition] = []
        while try reader.nextElement() {
            try checkCount(tools.count, at: start)
            tools.append(try tool(after: tools))
        }
        // An empty array says nothing, and clients send it; it must not undo `functions`.
        guard !tools.isEmpty else { return }
        request.tools = tools
        request.names.tools = ParameterNames().tools
        request.names.toolSchema = ParameterNames().toolSchema
    }

    mutating func decodeFunctions() throws(DecodeFailure) {
        let start = try reader.beginArray()
        var tools: [ToolDefinition] = []
        while try reader.nextElement() {
            try checkCount(tools.count, at: start)
            tools.append(try definition(after: tools))
        }
        guard request.tools.isEmpty, !tools.isEmpty else { return }
        request.tools = tools
        request.names.tools = "functions"
        request.names.toolSchema = "parameters"
    }

    private func checkCount(_ count: Int, at start: Int) throws(DecodeFailure) {
        guard count < limits.tools else {
            throw DecodeFailure(
                .invalidValue, "Expected at most \(limits.tools) functions.", at: start)
        }
    }

    private mutating func tool(
        after others: [ToolDefinition]
    ) throws(DecodeFailure) -> ToolDefinition {
        let start = try reader.beginObject()
        var type: String?
        var definition: ToolDefinition?
        while let field = try reader.nextField(in: Self.toolFields) {
            switch field {
            case .type:
                type = try reader.string()
                guard type == "function" else {
                    throw reader.unsupported("This server calls functions only.")
                }
            case .function: definition = try self.definition(after: others)
            }
        }
        guard type != nil else { throw DecodeFailure.missing("type", at: start) }
        guard let definition else { throw DecodeFailure.missing("function", at: start) }
        return definition
    }

    private mutating func definition(
        after others: [ToolDefinition]
    ) throws(DecodeFailure) -> ToolDefinition {
        let start = try reader.beginObject()
        var tool = ToolDefinition(name: "")
        while let field = try reader.nextField(in: Self.definitionFields) {
            switch field {
            case .name:
                tool.name = try reader.string(limitBytes: limits.nameBytes)
                guard ToolDefinition.isName(tool.name) else {
                    throw reader.refusal(
                        .invalidValue, "Expected 1 to 64 letters, digits, '_' and '-'.")
                }
                guard !others.contains(where: { $0.name == tool.name }) else {
                    throw reader.refusal(.invalidValue, "The name '\(tool.name)' is taken.")
                }
            case .description: tool.description = try reader.string()
            case .parameters: tool.parameters = try schema()
            case .strict: tool.isStrict = try reader.bool()
            }
        }
        guard !tool.name.isEmpty else { throw DecodeFailure.missing("name", at: start) }
        return tool
    }

    /// A JSON schema's text. What it says is looked at when it is needed.
    mutating func schema() throws(DecodeFailure) -> String {
        guard try reader.kind() == .object else {
            throw reader.refusal(.invalidType, "Expected a JSON schema, which is an object.")
        }
        let text = try reader.raw()
        guard text.utf8.count <= limits.schemaBytes else {
            throw reader.refusal(
                .invalidValue, "Expected a schema of at most \(limits.schemaBytes) bytes.")
        }
        return text
    }

    /// A word, or the function to call: `{"type":"function","function":{"name":"f"}}`, and without
    /// the wrapping as Responses has it.
    mutating func decodeToolChoice() throws(DecodeFailure) {
        request.names.toolChoice = ParameterNames().toolChoice
        let kind = try reader.kind()
        hasToolChoice = true
        guard kind == .object else {
            guard kind == .string else {
                throw reader.refusal(.invalidType, "Expected a string or an object.")
            }
            switch try reader.string() {
            case "none": request.toolChoice = .none
            case "auto": request.toolChoice = .auto
            case "required", "any": request.toolChoice = .required
            default:
                throw reader.refusal(.invalidValue, "Expected 'none', 'auto' or 'required'.")
            }
            return
        }
        let start = try reader.beginObject()
        var name: String?
        while let field = try reader.nextField(in: Self.choiceFields) {
            switch field {
            case .type:
                guard try reader.string() == "function" else {
                    throw reader.unsupported("This server calls functions only.")
                }
            case .function: name = try chosenName()
            case .name: name = try reader.string(limitBytes: limits.nameBytes)
            }
        }
        guard let name else { throw DecodeFailure.missing("function", at: start) }
        request.toolChoice = .function(name)
    }

    /// The older form: `"none"`, `"auto"` or `{"name":"f"}`. The newer one wins.
    mutating func decodeFunctionCall() throws(DecodeFailure) {
        let kind = try reader.kind()
        let choice: ToolChoice
        switch kind {
        case .object: choice = .function(try chosenName())
        case .string:
            switch try reader.string() {
            case "none": choice = .none
            case "auto": choice = .auto
            default: throw reader.refusal(.invalidValue, "Expected 'none' or 'auto'.")
            }
        default: throw reader.refusal(.invalidType, "Expected a string or an object.")
        }
        guard !hasToolChoice else { return }
        request.toolChoice = choice
        request.names.toolChoice = "function_call"
    }

    private mutating func chosenName() throws(DecodeFailure) -> String {
        let start = try reader.beginObject()
        var name: String?
        while let field = try reader.nextField(in: Self.choiceFields) {
            if field == .name {
                name = try reader.string(limitBytes: limits.nameBytes)
            } else {
                try reader.skip()
            }
        }
        guard let name else { throw DecodeFailure.missing("name", at: start) }
        return name
    }
}
