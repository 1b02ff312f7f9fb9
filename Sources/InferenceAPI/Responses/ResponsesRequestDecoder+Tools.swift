import InferenceTypes

/// What the answer may call, and what it must look like.
extension ResponsesRequestDecoder {
    private enum ToolField: String, CaseIterable {
        case type, name, description, parameters, strict
    }

    private enum ChoiceField: String, CaseIterable {
        case type, name, mode, tools
    }

    private enum TextField: String, CaseIterable {
        case format, verbosity
    }

    private enum FormatField: String, CaseIterable {
        case type, name, schema, strict
    }

    private static let toolFields = JSONKeyTable<ToolField>()
    private static let choiceFields = JSONKeyTable<ChoiceField>()
    private static let textFields = JSONKeyTable<TextField>()
    private static let formatFields = JSONKeyTable<FormatField>()

    // MARK: Tools

    mutating func decodeTools() throws(DecodeFailure) {
        let start = try reader.beginArray()
        format.tools.removeAll()
        while try reader.nextElement() {
            guard format.tools.count < limits.tools else {
                throw DecodeFailure(
                    .invalidValue, "Expected at most \(limits.tools) tools.", at: start)
            }
            format.tools.append(try tool())
        }
    }

    private mutating func tool() throws(DecodeFailure) -> ResponsesFormat.Tool {
        let start = try reader.beginObject()
        var type: String?
        var typeOffset = start
        var tool = ResponsesFormat.Tool(definition: ToolDefinition(name: ""))
        while let field = try reader.nextField(in: Self.toolFields) {
            switch field {
            case .type:
                typeOffset = reader.valueOffset
                type = try reader.string()
            case .name: tool.definition.name = try reader.string(limitBytes: limits.nameBytes)
            case .description: tool.definition.description = try reader.string()
            case .parameters: tool.definition.parameters = try reader.rawObject()
            case .strict: tool.isStrict = try reader.bool()
            }
        }
        switch type {
        case "function": break
        case nil: throw DecodeFailure.missing("type", at: start)
        case .some:
            throw DecodeFailure(
                .unsupported, "This server has no tools of its own; expected 'function'.",
                at: typeOffset)
        }
        guard !tool.definition.name.isEmpty else { throw DecodeFailure.missing("name", at: start) }
        return tool
    }

    mutating func decodeToolChoice() throws(DecodeFailure) {
        let kind = try reader.kind()
        toolChoiceOffset = reader.valueOffset
        let copy = reader
        switch kind {
        case .string: request.toolChoice = try mode()
        case .object: try decodeChosenTool()
        default: throw reader.refusal(.invalidType, "Expected a string or an object.")
        }
        var again = copy
        format.toolChoice = try again.raw()
    }

    private mutating func mode() throws(DecodeFailure) -> ToolChoice {
        switch try reader.string() {
        case "none": return .none
        case "auto": return .auto
        case "required": return .required
        default: throw reader.refusal(.invalidValue, "Expected 'none', 'auto' or 'required'.")
        }
    }

    /// `{"type":"function","name"}` or `{"type":"allowed_tools","mode","tools"}`.
    private mutating func decodeChosenTool() throws(DecodeFailure) {
        let start = try reader.beginObject()
        var type: String?
        var typeOffset = start
        var name: String?
        var choice: ToolChoice?
        var allowed: [String]?
        while let field = try reader.nextField(in: Self.choiceFields) {
            switch field {
            case .type:
                typeOffset = reader.valueOffset
                type = try reader.string()
            case .name: name = try reader.string(limitBytes: limits.nameBytes)
            case .mode: choice = try mode()
            case .tools: allowed = try toolNames()
            }
        }
        switch type {
        case nil: throw DecodeFailure.missing("type", at: start)
        case "function":
            guard let name else { throw DecodeFailure.missing("name", at: start) }
            request.toolChoice = .function(name)
        case "allowed_tools":
            guard let choice else { throw DecodeFailure.missing("mode", at: start) }
            guard let allowed else { throw DecodeFailure.missing("tools", at: start) }
            request.toolChoice = choice
            allowedTools = allowed
        case .some:
            throw DecodeFailure(
                .unsupported, "Expected 'function' or 'allowed_tools'.", at: typeOffset)
        }
    }

    private mutating func toolNames() throws(DecodeFailure) -> [String] {
        let start = try reader.beginArray()
        var names: [String] = []
        while try reader.nextElement() {
            guard names.count < limits.tools else {
                throw DecodeFailure(
                    .invalidValue, "Expected at most \(limits.tools) tools.", at: start)
            }
            let place = try reader.beginObject()
            var name: String?
            while let field = try reader.nextField(in: Self.toolFields) {
                if field == .name {
                    name = try reader.string(limitBytes: limits.nameBytes)
                } else {
                    try reader.skip()
                }
            }
            guard let name else { throw DecodeFailure.missing("name", at: place) }
            names.append(name)
        }
        return names
    }

    /// The tools of the request are those that may be called.
    mutating func settleTools() throws(DecodeFailure) {
        let defined = Set(format.tools.map(\.definition.name))
        request.tools = format.tools.map(\.definition).filter {
            allowedTools?.contains($0.name) ?? true
        }
        var asked = allowedTools ?? []
        if case .function(let name) = request.toolChoice { asked.append(name) }
        if let unknown = asked.first(where: { !defined.contains($0) }) {
            throw DecodeFailure(
                .invalidValue, "There is no function '\(unknown.prefix(64))' among the tools.",
                at: toolChoiceOffset)
        }
        if request.toolChoice == .required, request.tools.isEmpty {
            throw DecodeFailure(
                .invalidValue, "Only allowed with 'tools'.", at: toolChoiceOffset)
        }
    }

    // MARK: Text

    mutating func decodeText() throws(DecodeFailure) {
        try reader.beginObject()
        while let field = try reader.nextField(in: Self.textFields) {
            switch field {
            case .format: try decodeFormat()
            case .verbosity:
                let verbosity = try reader.string()
                guard ["low", "medium", "high"].contains(verbosity) else {
                    throw reader.refusal(.invalidValue, "Expected 'low', 'medium' or 'high'.")
                }
                format.verbosity = verbosity
            }
        }
    }

    private mutating func decodeFormat() throws(DecodeFailure) {
        var again = reader
        let start = try reader.beginObject()
        var type: String?
        var typeOffset = start
        var name: String?
        var schema: String?
        var isStrict = false
        while let field = try reader.nextField(in: Self.formatFields) {
            switch field {
            case .type:
                typeOffset = reader.valueOffset
                type = try reader.string()
            case .name: name = try reader.string(limitBytes: limits.nameBytes)
            case .schema: schema = try reader.rawObject()
            case .strict: isStrict = try reader.bool()
            }
        }
        switch type {
        case nil: throw DecodeFailure.missing("type", at: start)
        case "text": request.responseFormat = .text
        case "json_object": request.responseFormat = .jsonObject
        case "json_schema":
            guard let name else { throw DecodeFailure.missing("name", at: start) }
            guard let schema else { throw DecodeFailure.missing("schema", at: start) }
            request.responseFormat = .jsonSchema(name: name, schema: schema, isStrict: isStrict)
        case .some:
            throw DecodeFailure(
                .invalidValue, "Expected 'text', 'json_object' or 'json_schema'.", at: typeOffset)
        }
        format.textFormat = try again.raw()
    }
}
