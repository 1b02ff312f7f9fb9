internal import CLlamaChat

/// llama-common's parsed template.
///
/// Immutable after opening; rendering only reads it, each call with a context of its own. Creation
/// happens before every use because the owner publishes it by its own `let`.
@safe
struct TemplateHandle: ~Copyable, @unchecked Sendable {
    private let templates: OpaquePointer

    /// Takes ownership.
    init(_ templates: OpaquePointer) {
        unsafe self.templates = templates
    }

    deinit {
        unsafe switchyard_chat_templates_free(templates)
    }

    var isExplicit: Bool { unsafe switchyard_chat_templates_explicit(templates) }

    var source: String {
        var length = 0
        let text = unsafe switchyard_chat_templates_source(templates, &length)
        return unsafe String(
            decoding: UnsafeRawBufferPointer(start: text, count: length), as: UTF8.self)
    }

    var supportsTools: Bool {
        unsafe switchyard_chat_templates_can(templates, SWITCHYARD_CHAT_TOOLS)
    }

    var hasThinking: Bool {
        unsafe switchyard_chat_templates_can(templates, SWITCHYARD_CHAT_THINKING)
    }

    var isSpecialized: Bool {
        unsafe switchyard_chat_templates_can(templates, SWITCHYARD_CHAT_SPECIALIZED)
    }

    func words(_ list: switchyard_chat_words) -> [String] {
        var words: [String] = []
        var length = 0
        while let word = unsafe switchyard_chat_templates_word(
            templates, list, words.count, &length)
        {
            words.append(unsafe text(word, length))
        }
        return words
    }

    /// The prompt in UTF-8. Without `promptOnly` it is the same, but the library also derives a
    /// parser of the answer from the template, which takes seven times as long.
    func render(
        _ conversation: TemplateConversation, addGenerationPrompt: Bool, promptOnly: Bool = true
    ) throws(TokenizationError) -> [UInt8] {
        let request = try RequestHandle.make(conversation)
        unsafe switchyard_chat_request_set_generation_prompt(request.request, addGenerationPrompt)
        unsafe switchyard_chat_request_set_prompt_only(request.request, promptOnly)
        let result = unsafe try apply(request)
        defer { unsafe switchyard_chat_result_free(result) }
        var length = 0
        let prompt = unsafe switchyard_chat_result_part(result, SWITCHYARD_CHAT_PROMPT, &length)
        return unsafe Array(UnsafeRawBufferPointer(start: prompt, count: length))
    }

    func parser(
        for conversation: TemplateConversation
    ) throws(TokenizationError) -> ParserHandle {
        let request = try RequestHandle.make(conversation)
        unsafe switchyard_chat_request_set_parses(request.request, true)
        let result = unsafe try apply(request)
        defer { unsafe switchyard_chat_result_free(result) }
        var error: UnsafeMutablePointer<CChar>?
        guard let parser = unsafe switchyard_chat_parser_new(result, &error) else {
            throw .templateRefused(reason: unsafe takeMessage(error) ?? "")
        }
        return unsafe ParserHandle(parser)
    }

    private func apply(
        _ request: borrowing RequestHandle
    ) throws(TokenizationError) -> OpaquePointer {
        var error: UnsafeMutablePointer<CChar>?
        guard let result = unsafe switchyard_chat_apply(templates, request.request, &error) else {
            throw .templateRefused(reason: unsafe takeMessage(error) ?? "")
        }
        return unsafe result
    }
}

/// A conversation in the library's own form. Used by the thread that made it.
@safe
private struct RequestHandle: ~Copyable {
    let request: OpaquePointer

    /// Takes ownership.
    private init(_ request: OpaquePointer) {
        unsafe self.request = request
    }

    static func make(
        _ conversation: TemplateConversation
    ) throws(TokenizationError) -> RequestHandle {
        guard let request = unsafe switchyard_chat_request_new() else {
            throw .libraryFailed(reason: "out of memory")
        }
        let handle = unsafe RequestHandle(request)
        guard handle.fill(conversation) else { throw .libraryFailed(reason: "out of memory") }
        return handle
    }

    private func fill(_ conversation: TemplateConversation) -> Bool {
        unsafe switchyard_chat_request_set_thinking(request, conversation.allowsThinking)
        for message in conversation.messages {
            guard unsafe switchyard_chat_request_add_message(request, message.role.rawValue),
                set(message.content, SWITCHYARD_CHAT_CONTENT),
                set(message.reasoning, SWITCHYARD_CHAT_REASONING_CONTENT),
                set(message.toolName, SWITCHYARD_CHAT_TOOL_NAME),
                set(message.toolCallID, SWITCHYARD_CHAT_TOOL_CALL_ID),
                message.toolCalls.allSatisfy({ add($0) })
            else { return false }
        }
        guard conversation.tools.allSatisfy({ add($0) }) else { return false }
        guard let effort = conversation.thinkingEffort else { return true }
        return unsafe switchyard_chat_request_set_effort(request, effort)
    }

    deinit {
        unsafe switchyard_chat_request_free(request)
    }

    private func set(_ text: String?, _ field: switchyard_chat_field) -> Bool {
        guard let text else { return true }
        return unsafe withCharacters(text) { characters, count in
            unsafe switchyard_chat_request_set_field(request, field, characters, count)
        }
    }

    private func add(_ call: TemplateCall) -> Bool {
        unsafe withCharacters(call.id) { id, idCount in
            unsafe withCharacters(call.name) { name, nameCount in
                unsafe withCharacters(call.arguments) { arguments, argumentsCount in
                    unsafe switchyard_chat_request_add_call(
                        request, id, idCount, name, nameCount, arguments, argumentsCount)
                }
            }
        }
    }

    private func add(_ tool: TemplateTool) -> Bool {
        unsafe withCharacters(tool.name) { name, nameCount in
            unsafe withCharacters(tool.description) { description, descriptionCount in
                unsafe withCharacters(tool.parameters) { parameters, parametersCount in
                    unsafe switchyard_chat_request_add_tool(
                        request, name, nameCount, description, descriptionCount, parameters,
                        parametersCount)
                }
            }
        }
    }
}

/// llama-common's parser of one request's answers.
///
/// Immutable; parsing only reads it. Creation happens before every use because the owner publishes
/// it by its own `let`.
@safe
struct ParserHandle: ~Copyable, @unchecked Sendable {
    private let parser: OpaquePointer

    /// Takes ownership.
    init(_ parser: OpaquePointer) {
        unsafe self.parser = parser
    }

    deinit {
        unsafe switchyard_chat_parser_free(parser)
    }

    func words(_ list: switchyard_chat_words) -> [String] {
        var words: [String] = []
        var length = 0
        while let word = unsafe switchyard_chat_parser_word(parser, list, words.count, &length) {
            words.append(unsafe text(word, length))
        }
        return words
    }

    /// Nil when the model should not have written it.
    func parse(_ answer: [UInt8]) -> AnswerParser.Answer? {
        let parsed = unsafe answer.withUnsafeBytes { bytes in
            unsafe switchyard_chat_parse(
                parser, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count, nil)
        }
        guard let parsed = unsafe parsed else { return nil }
        defer { unsafe switchyard_chat_answer_free(parsed) }
        func part(_ field: switchyard_chat_answer_field, _ index: Int = 0) -> String {
            var length = 0
            guard
                let start = unsafe switchyard_chat_answer_part(parsed, field, index, &length)
            else { return "" }
            return unsafe text(start, length)
        }
        let calls = unsafe (0..<switchyard_chat_answer_calls(parsed)).map { index in
            AnswerParser.Call(
                name: part(SWITCHYARD_CHAT_ANSWER_CALL_NAME, index),
                arguments: part(SWITCHYARD_CHAT_ANSWER_CALL_ARGUMENTS, index))
        }
        return AnswerParser.Answer(
            content: part(SWITCHYARD_CHAT_ANSWER_CONTENT),
            reasoning: part(SWITCHYARD_CHAT_ANSWER_REASONING), calls: calls)
    }
}

/// JSON in one form.
enum NormalJSON {
    /// Nil when `json` is none.
    static func text(_ json: String) -> String? {
        unsafe withCharacters(json) { characters, count in
            unsafe takeMessage(switchyard_json_normalize(characters, count, nil))
        }
    }

    /// `text` as a JSON string.
    static func string(_ text: String) -> String {
        var json = JSONText()
        json.string(text)
        return String(decoding: json.bytes, as: UTF8.self)
    }
}

private func withCharacters<Result>(
    _ text: String, _ body: (UnsafePointer<CChar>?, Int) -> Result
) -> Result {
    var text = text
    return text.withUTF8 { bytes in
        unsafe bytes.withMemoryRebound(to: CChar.self) { characters in
            unsafe body(characters.baseAddress, characters.count)
        }
    }
}

private func text(_ start: UnsafePointer<CChar>, _ length: Int) -> String {
    unsafe String(decoding: UnsafeRawBufferPointer(start: start, count: length), as: UTF8.self)
}
