import InferenceAPI
import Tokenization

/// How one request's tools, response format and reasoning are asked for and understood: what the
/// template gets, what the output must match, and what it is made of.
///
/// | calls | template | output must match | read as |
/// |---|---|---|---|
/// | required, or named | its own words, else ours | a grammar of ours | the generic form |
/// | as the model likes | its own words | nothing | the library's parser |
/// | as the model likes | ours, in the system message | nothing | the generic form |
/// | the same, with a format | its own words, else ours | calls or the format | generic |
///
/// Required calls have one form for all models, since only then their arguments surely match: the
/// library's grammars leave texts in tagged forms free, and its schema converter lets `-012`, 30
/// February and broken escapes through.
struct AnswerPlan {
    let conversation: TemplateConversation
    /// Nil where nothing may be called.
    let tools: ToolRules?
    private let template: ChatTemplate
    /// Without reasoning before it.
    private let format: String?
    /// Whether a grammar of ours can begin behind reasoning.
    private let isFormatOurs: Bool
    private let isGeneric: Bool

    init(_ request: ChatRequest, template: ChatTemplate) throws(APIError) {
        try request.checkTools()
        self.template = template
        let tools = request.callableTools.isEmpty ? nil : try ToolRules(request)
        self.tools = tools
        format = try Self.grammar(of: request, tools)
        if case .grammar = request.responseFormat {
            isFormatOurs = false
        } else {
            isFormatOurs = true
        }
        isGeneric = !template.supportsTools || format != nil
        var conversation = TemplateConversation(
            messages: request.messages.map(\.templateMessage))
        if !template.supportsTools {
            conversation.messages = GenericTools.messages(
                conversation.messages, instructions: tools?.instructions)
        } else if let tools {
            conversation.tools = tools.descriptions.map(TemplateTool.init)
        }
        conversation.thinkingEffort = request.reasoningEffort.flatMap(Self.effort)
        // A format begins with the first token.
        conversation.allowsThinking =
            request.reasoningEffort != ReasoningEffort.none
            && format == nil
        self.conversation = conversation
    }

    private static func effort(_ effort: ReasoningEffort) -> String? {
        switch effort {
        case .none: nil
        case .minimal, .low: "low"
        case .medium: "medium"
        case .high, .xhigh: "high"
        }
    }

    /// What the answer must match; nil for anything.
    private static func grammar(
        of request: ChatRequest, _ tools: ToolRules?
    ) throws(APIError) -> String? {
        let schema: JSONSchema?
        switch request.responseFormat {
        case .text: schema = nil
        case .jsonObject:
            if tools == nil { return JSONGrammar.object }
            schema = .anyObject
        case .grammar(let grammar):
            guard tools != nil else { return grammar }
            throw APIError(
                .unsupported, "A grammar is not enforced beside tools.",
                parameter: request.names.responseFormat)
        case .jsonSchema(_, let text, _):
            do {
                schema = try JSONSchema(parsing: text)
                if tools == nil { return try schema?.grammar() }
            } catch {
                throw error.apiError(in: request.names.responseSchema)
            }
        }
        guard let tools else { return nil }
        if tools.requiresCall { return try tools.grammar() }
        return try schema.map { schema throws(APIError) in try tools.grammar(or: schema) }
    }

    /// GBNF for the worker. Where the prompt has begun reasoning, that comes first.
    func grammar(after prompt: RenderedPrompt?) -> String? {
        guard let format, isFormatOurs, let thinking = openThinking(prompt) else { return format }
        return thinking.grammar(before: format)
    }

    /// What the answer is made of. Takes milliseconds where the library must say.
    func syntax(
        after prompt: RenderedPrompt?, _ tokenizer: ModelTokenizer
    ) throws(APIError) -> AnswerSyntax {
        var syntax = AnswerSyntax()
        guard let prompt else { return syntax }
        let vocabulary = tokenizer.vocabulary
        if format != nil {
            if isFormatOurs, let thinking = openThinking(prompt) {
                syntax.thinking = thinking
                syntax.beginsThinking = true
            }
        } else if let thinking = template.thinking {
            syntax.thinking = thinking
            syntax.beginsThinking = thinking.isOpen(after: prompt)
        }
        if tools != nil, isGeneric {
            syntax.calls = AnswerSyntax.genericCalls(vocabulary)
        } else if format == nil, tools != nil || template.needsParser {
            do {
                var outline = conversation
                outline.tools = tools.map { $0.outlines.map(TemplateTool.init) } ?? []
                syntax.calls = AnswerSyntax.parsedCalls(
                    try template.parser(for: outline), vocabulary)
            } catch {
                throw ChatPreparation.refusal(error, parameter: "messages")
            }
        }
        return syntax
    }

    private func openThinking(_ prompt: RenderedPrompt?) -> ThinkingMarks? {
        guard let prompt, let thinking = template.thinking, thinking.start != nil,
            thinking.isOpen(after: prompt)
        else { return nil }
        return thinking
    }
}

extension TemplateTool {
    fileprivate init(_ description: ToolRules.Description) {
        self.init(
            name: description.name, description: description.description,
            parameters: description.parameters)
    }
}

/// Tools in the words of a conversation, for templates that have none.
enum GenericTools {
    /// `instructions` in the system message, which is made if there is none; calls of earlier turns
    /// in the form that the model is to use, and results as the user's.
    static func messages(
        _ messages: [TemplateMessage], instructions: String?
    ) -> [TemplateMessage] {
        var result: [TemplateMessage] = []
        var isAnswering = false
        // Templates without tools have often no such role either.
        let hasCalls = messages.contains { !$0.toolCalls.isEmpty }
        for message in messages {
            var message = message
            if !message.toolCalls.isEmpty {
                let calls = message.toolCalls.map { call in
                    let arguments = call.arguments.isEmpty ? "{}" : call.arguments
                    return "\(ToolRules.callStart)\n{\"name\": \"\(call.name)\", \"arguments\": "
                        + "\(arguments)}\n\(ToolRules.callEnd)"
                }
                let texts = (message.content.isEmpty ? [] : [message.content]) + calls
                message.content = texts.joined(separator: "\n")
                message.toolCalls = []
            }
            guard message.role == .tool, hasCalls || instructions != nil else {
                isAnswering = false
                result.append(message)
                continue
            }
            let text = "<tool_response>\n\(message.content)\n</tool_response>"
            if isAnswering {
                result[result.count - 1].content += "\n" + text
            } else {
                result.append(TemplateMessage(role: .user, content: text))
            }
            isAnswering = true
        }
        guard let instructions else { return result }
        if result.first?.role == .system {
            result[0].content += "\n\n" + instructions
        } else {
            result.insert(TemplateMessage(role: .system, content: instructions), at: 0)
        }
        return result
    }
}
