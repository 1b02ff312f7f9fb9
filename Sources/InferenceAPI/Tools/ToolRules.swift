/// Which calls an answer may hold: the tools of one request, read for the way in which they are to
/// be called. Immutable.
package struct ToolRules: Sendable {
    private struct Tool {
        var definition: ToolDefinition
        /// What the arguments must match; nil where any object will do.
        var schema: JSONSchema?
    }

    private let tools: [Tool]
    private let byName: [String: Int]
    /// The answer is one or more calls, and nothing else.
    package let requiresCall: Bool
    /// The answer matches `grammar`: what looks like a call and is none was cut.
    package let hasGrammar: Bool
    /// More calls than these are not made.
    package let callsMax: Int

    /// Calls of one answer that a grammar shapes: few, so that it ends of any model.
    private static let shapedCallsMax = 4
    /// Calls of one answer that may call.
    private static let voluntaryCallsMax = 128

    /// Throws `invalidValue` for a schema that must be enforced and cannot be: every one where a
    /// call is required, and otherwise those of strict tools. Elsewhere arguments are an object.
    package init(_ request: ChatRequest) throws(APIError) {
        requiresCall = request.requiresCall
        hasGrammar = requiresCall || request.responseFormat != .text
        if case .function = request.toolChoice {
            callsMax = 1
        } else if !request.allowsParallelToolCalls {
            callsMax = 1
        } else {
            callsMax = hasGrammar ? Self.shapedCallsMax : Self.voluntaryCallsMax
        }
        var tools: [Tool] = []
        let callable = Set(request.callableTools.map(\.name))
        for (index, definition) in request.tools.enumerated()
        where callable.contains(definition.name) {
            var tool = Tool(definition: definition)
            if requiresCall || definition.isStrict {
                tool.schema = try Self.schema(of: definition, at: request.names.toolSchema(index))
            } else if hasGrammar {
                // Enforced where it can be, which nobody asked for.
                tool.schema = try? Self.schema(of: definition, at: "")
            }
            tools.append(tool)
        }
        self.tools = tools
        byName = Dictionary(
            uniqueKeysWithValues: tools.enumerated().map { ($1.definition.name, $0) })
    }

    private static func schema(
        of tool: ToolDefinition, at place: String
    ) throws(APIError) -> JSONSchema {
        guard let text = tool.parameters else { return .emptyObject }
        let schema: JSONSchema
        do {
            schema = try JSONSchema(parsing: text)
        } catch {
            throw error.apiError(in: place)
        }
        // No keyword at all: no parameters.
        if schema.root == .anything { return .emptyObject }
        guard schema.isObject else {
            throw APIError(
                .invalidValue, "'\(place)': Expected a schema of an object.", parameter: place)
        }
        return schema
    }

    // MARK: The generic form

    /// A call is `<tool_call>`, an object with `name` and `arguments`, and `</tool_call>`, as
    /// Hermes, Qwen and SmolLM write it. Used where a template knows no tools, and of every model
    /// where the call must be made.
    package static let callStart = "<tool_call>"
    package static let callEnd = "</tool_call>"

    /// What a model is told whose template has no words for it.
    package var instructions: String {
        var text = "You can call functions. They are listed in <tools></tools>, with the JSON"
        text += " schema of their arguments:\n<tools>\n"
        for tool in tools {
            let definition = tool.definition
            var members: [JSONTree.Member] = [
                .init(key: "name", value: .string(definition.name))
            ]
            if let description = definition.description {
                members.append(.init(key: "description", value: .string(description)))
            }
            // What a decoder took is JSON.
            if let parameters = definition.parameters,
                let tree = try? JSONTree(parsing: parameters)
            {
                members.append(.init(key: "parameters", value: tree))
            }
            text += JSONTree.object(members).text + "\n"
        }
        text += "</tools>\n"
        text += requiresCall ? "Answer with a call" : "To call a function, answer with a call"
        text += callsMax == 1 ? " in this form:\n" : ", or several, in this form:\n"
        text += #"\#(Self.callStart)\#n{"name": "<name>", "arguments": {<arguments>}}\#n"#
        text += Self.callEnd
        return text
    }

    /// GBNF of an answer that is nothing but calls, or also an answer that matches `schema`.
    ///
    /// - Parameter schema: nil where a call is required.
    package func grammar(
        or schema: JSONSchema? = nil, limits: SchemaLimits = SchemaLimits()
    ) throws(APIError) -> String {
        var grammar = SchemaGrammar(bounds: .call)
        var calls: [String] = []
        for tool in tools {
            let arguments = grammar.write(tool.schema ?? .anyObject)
            let head = #"{"name": "\#(tool.definition.name)", "arguments": "#
            calls.append(
                grammar.rule("\(SchemaGrammar.literal(head)) \(arguments) \"}\""))
        }
        let start = SchemaGrammar.literal(Self.callStart + "\n")
        let end = SchemaGrammar.literal("\n" + Self.callEnd)
        grammar.add("call", "\(start) (\(calls.joined(separator: " | "))) \(end)")
        var root = callsMax == 1 ? "call" : #"call ("\n" call){0,\#(callsMax - 1)}"#
        if let schema {
            grammar.bounds = .none
            root += " | \(grammar.write(schema))"
        }
        grammar.add("root", root)
        guard grammar.bytes <= limits.grammarBytes else {
            throw SchemaError.tooLarge(limits).apiError(in: "tools")
        }
        return grammar.text
    }

    // MARK: Calls

    /// The calls that the model wrote between the marks: an object, or an array of them. Nil when
    /// any of it is no call of these tools.
    package func calls(in body: [UInt8]) -> [ChatToolCall]? {
        // What is no JSON is no call.
        guard let tree = try? JSONTree(parsing: String(decoding: body, as: UTF8.self)) else {
            return nil
        }
        let list: [JSONTree] = if case .array(let values) = tree { values } else { [tree] }
        var calls: [ChatToolCall] = []
        for call in list {
            guard case .string(let name) = call["name"],
                let arguments = call["arguments"] ?? call["parameters"],
                let call = self.call(name, arguments)
            else { return nil }
            calls.append(call)
        }
        return calls.isEmpty ? nil : calls
    }

    /// Nil when there is no such tool, or the arguments are not what it takes.
    package func call(name: String, arguments: String) -> ChatToolCall? {
        guard let tree = try? JSONTree(parsing: arguments.isEmpty ? "{}" : arguments) else {
            return nil
        }
        return call(name, tree)
    }

    private func call(_ name: String, _ arguments: JSONTree) -> ChatToolCall? {
        guard let index = byName[name], arguments.kind == .object,
            tools[index].schema?.admits(arguments) ?? true
        else { return nil }
        var generator = SystemRandomNumberGenerator()
        let id = Identifier.request((generator.next(), generator.next()))
        return ChatToolCall(id: "call_\(id)", name: name, arguments: arguments.text)
    }

    // MARK: For templates

    package struct Description: Sendable {
        package var name: String
        package var description: String
        package var parameters: String
    }

    /// The tools as templates show them.
    package var descriptions: [Description] {
        tools.map {
            Description(
                name: $0.definition.name, description: $0.definition.description ?? "",
                parameters: $0.definition.parameters ?? Self.noParameters)
        }
    }

    private static let noParameters = #"{"type":"object","properties":{}}"#

    /// The same, with as much of the schemas as it takes to read the arguments: which properties
    /// there are, and of which types.
    package var outlines: [Description] {
        tools.map {
            Description(
                name: $0.definition.name, description: "",
                parameters: Self.outline($0.definition.parameters))
        }
    }

    private static func outline(_ parameters: String?) -> String {
        guard let parameters, let tree = try? JSONTree(parsing: parameters),
            case .object(let properties) = tree["properties"]
        else { return noParameters }
        // A schema that is not enforced need not be understood.
        let schema = try? JSONSchema(parsing: parameters)
        var object: SchemaObject?
        if case .object(let root) = schema?.root { object = root }
        let typed = properties.map { property in
            var types = SchemaTypes.all
            if let node = object?.properties.first(where: { $0.name == property.key })?.node {
                types = SchemaTypes(of: node, in: schema?.definitions ?? [])
            } else if case .string(let name) = property.value["type"] {
                types = SchemaTypes(name: name) ?? .all
            }
            return JSONTree.Member(
                key: property.key,
                value: types == .all
                    ? .object([])
                    : .object([.init(key: "type", value: .array(types.names.map(JSONTree.string)))])
            )
        }
        var members: [JSONTree.Member] = [
            .init(key: "type", value: .string("object")),
            .init(key: "properties", value: .object(typed)),
        ]
        if case .array(let names) = tree["required"],
            names.allSatisfy({ $0.kind == .string })
        {
            members.append(.init(key: "required", value: .array(names)))
        }
        return JSONTree.object(members).text
    }
}

extension SchemaTypes {
    /// Of the types that it is made of.
    fileprivate var names: [String] {
        let all: [(SchemaTypes, String)] = [
            (.string, "string"), (.number, "number"), (.integer, "integer"),
            (.boolean, "boolean"), (.null, "null"), (.array, "array"), (.object, "object"),
        ]
        var names = all.filter { contains($0.0) }.map(\.1)
        if contains(.number) { names.removeAll { $0 == "integer" } }
        return names
    }
}
