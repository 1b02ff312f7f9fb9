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

    /// The prompt in UTF-8. Without `promptOnly` it is the same, but the library also derives a
    /// parser of the answer from the template, which takes seven times as long.
    func render(
        _ messages: [TemplateMessage], addGenerationPrompt: Bool, promptOnly: Bool = true
    ) throws(TokenizationError) -> [UInt8] {
        guard let request = unsafe switchyard_chat_request_new() else {
            throw .libraryFailed(reason: "out of memory")
        }
        defer { unsafe switchyard_chat_request_free(request) }
        unsafe switchyard_chat_request_set_generation_prompt(request, addGenerationPrompt)
        unsafe switchyard_chat_request_set_prompt_only(request, promptOnly)
        for message in messages {
            guard unsafe switchyard_chat_request_add_message(request, message.role.rawValue),
                unsafe set(message.content, SWITCHYARD_CHAT_CONTENT, request),
                unsafe set(message.reasoning, SWITCHYARD_CHAT_REASONING_CONTENT, request),
                unsafe set(message.toolName, SWITCHYARD_CHAT_TOOL_NAME, request),
                unsafe set(message.toolCallID, SWITCHYARD_CHAT_TOOL_CALL_ID, request)
            else { throw .libraryFailed(reason: "out of memory") }
        }
        var error: UnsafeMutablePointer<CChar>?
        guard let result = unsafe switchyard_chat_apply(templates, request, &error) else {
            throw .templateRefused(reason: unsafe takeMessage(error) ?? "")
        }
        defer { unsafe switchyard_chat_result_free(result) }
        var length = 0
        let prompt = unsafe switchyard_chat_result_part(result, SWITCHYARD_CHAT_PROMPT, &length)
        return unsafe Array(UnsafeRawBufferPointer(start: prompt, count: length))
    }

    private func set(
        _ text: String?, _ field: switchyard_chat_field, _ request: OpaquePointer
    ) -> Bool {
        guard var text else { return true }
        return text.withUTF8 { bytes in
            unsafe bytes.withMemoryRebound(to: CChar.self) { characters in
                unsafe switchyard_chat_request_set_field(
                    request, field, characters.baseAddress, characters.count)
            }
        }
    }
}
