/// What tools and their choice must agree on, whichever face they came by.
extension ChatRequest {
    /// The tools that may be called in the answer: none when the choice forbids calls, one when it
    /// names one.
    package var callableTools: [ToolDefinition] {
        switch toolChoice {
        case .none: []
        case .auto, .required: tools
        case .function(let name): tools.filter { $0.name == name }
        }
    }

    /// Whether the answer must be a call.
    package var requiresCall: Bool {
        switch toolChoice {
        case .none, .auto: false
        case .required, .function: true
        }
    }

    /// Throws `invalidValue`, with the parameter as the face calls it.
    package func checkTools() throws(APIError) {
        var seen: Set<String> = []
        for (index, tool) in tools.enumerated() {
            let place = "\(names.tools)[\(index)]"
            guard ToolDefinition.isName(tool.name) else {
                throw APIError(
                    .invalidValue,
                    "'\(place)': Expected a name of 1 to 64 letters, digits, '_' and '-'.",
                    parameter: place)
            }
            guard seen.insert(tool.name).inserted else {
                throw APIError(
                    .invalidValue, "'\(place)': The name '\(tool.name)' is taken.",
                    parameter: place)
            }
        }
        switch toolChoice {
        case .none, .auto: break
        case .required where tools.isEmpty:
            throw APIError(
                .invalidValue, "'\(names.toolChoice)': Requires '\(names.tools)'.",
                parameter: names.toolChoice)
        case .required: break
        case .function(let name):
            guard !seen.contains(name) else { break }
            throw APIError(
                .invalidValue,
                "'\(names.toolChoice)': No function '\(name)' is in '\(names.tools)'.",
                parameter: names.toolChoice)
        }
    }
}
