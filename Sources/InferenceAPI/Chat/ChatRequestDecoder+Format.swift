/// `response_format`.
extension ChatRequestDecoder {
    private enum FormatField: String, CaseIterable {
        case type
        case grammar
        case jsonSchema = "json_schema"
    }

    private enum SchemaField: String, CaseIterable {
        case name, schema, strict, description
    }

    private static let formatFields = JSONKeyTable<FormatField>()
    private static let schemaFields = JSONKeyTable<SchemaField>()

    /// What cannot be enforced is refused, never ignored. `grammar` is Fireworks' form.
    mutating func decodeResponseFormat() throws(DecodeFailure) {
        let start = try reader.beginObject()
        var type: String?
        var grammar: String?
        var schema: ResponseFormat?
        while let field = try reader.nextField(in: Self.formatFields) {
            switch field {
            case .grammar: grammar = try reader.string(limitBytes: limits.grammarBytes)
            case .jsonSchema: schema = try namedSchema()
            case .type:
                type = try reader.string()
                switch type {
                case "text", "json_object", "json_schema", "grammar": break
                default:
                    throw reader.refusal(
                        .invalidValue,
                        "Expected 'text', 'json_object', 'json_schema' or 'grammar'.")
                }
            }
        }
        switch type {
        case nil: throw DecodeFailure.missing("type", at: start)
        case "json_object": request.responseFormat = .jsonObject
        case "json_schema":
            guard let schema else { throw DecodeFailure.missing("json_schema", at: start) }
            request.responseFormat = schema
        case "grammar":
            guard let grammar, !grammar.isEmpty else {
                throw DecodeFailure.missing("grammar", at: start)
            }
            request.responseFormat = .grammar(grammar)
        default: break
        }
    }

    private mutating func namedSchema() throws(DecodeFailure) -> ResponseFormat {
        let start = try reader.beginObject()
        var name: String?
        var text: String?
        var isStrict = false
        while let field = try reader.nextField(in: Self.schemaFields) {
            switch field {
            case .name: name = try reader.string(limitBytes: limits.nameBytes)
            case .schema: text = try schema()
            case .strict: isStrict = try reader.bool()
            case .description: _ = try reader.string()
            }
        }
        guard let text else { throw DecodeFailure.missing("schema", at: start) }
        return .jsonSchema(name: name, schema: text, isStrict: isStrict)
    }
}
