internal import CLlamaChat
internal import InferenceTypes

/// A model's chat template: a conversation in, the model's prompt out.
///
/// Rendered by llama-common's Jinja engine. Immutable; `render` may be called from any thread.
package final class ChatTemplate: Sendable {
    /// The Jinja source.
    package let source: String
    /// False when neither the model nor the operator gave a template, so that ChatML is used.
    package let isExplicit: Bool

    /// Whether tools, and calls of earlier turns, can be rendered.
    package let supportsTools: Bool
    /// How its answers mark reasoning; nil when they have none.
    package let thinking: ThinkingMarks?
    /// Only the library can tell its answers' parts apart: their marks are not just before and
    /// behind the reasoning and the calls.
    package let needsParser: Bool

    let vocabulary: Vocabulary
    let handle: TemplateHandle

    /// The template of the vocabulary's own GGUF, or `override`. Throws `templateUnusable`.
    package init(
        vocabulary: Vocabulary, override: String? = nil
    ) throws(TokenizationError) {
        let source = Array((override ?? "").utf8)
        var error: UnsafeMutablePointer<CChar>?
        let opened = unsafe source.withUnsafeBytes { bytes in
            unsafe switchyard_chat_templates_open(
                vocabulary.handle.model,
                bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count, &error)
        }
        guard let opened = unsafe opened else {
            throw .templateUnusable(reason: unsafe takeMessage(error) ?? "")
        }
        self.vocabulary = vocabulary
        handle = unsafe TemplateHandle(opened)
        self.source = handle.source
        isExplicit = handle.isExplicit
        supportsTools = handle.supportsTools
        // Marks of several special tokens name a channel; what follows may be another one.
        let start = handle.words(SWITCHYARD_CHAT_THINKING_START).first ?? ""
        needsParser = handle.isSpecialized && start.contains("channel")
        thinking =
            handle.hasThinking && !needsParser
            ? ThinkingMarks(
                start: start, ends: handle.words(SWITCHYARD_CHAT_THINKING_END),
                vocabulary: vocabulary)
            : nil
    }

    /// The prompt for `messages`, with the beginning of the answer when `addGenerationPrompt`.
    ///
    /// Texts of messages cannot forge turns: when one holds a character that begins or ends some
    /// control token, the conversation is rendered a second time with these characters marked.
    /// If both renderings have the same control tokens in the same order, the first one stands;
    /// otherwise some came from a client, and the marked one is used.
    ///
    /// Throws `templateRefused`, `textTooLong`, `textNotMarkable` or `libraryFailed`.
    package func render(
        _ conversation: TemplateConversation, addGenerationPrompt: Bool = true
    ) throws(TokenizationError) -> RenderedPrompt {
        let size = conversation.texts.reduce(0) { $0 + $1.utf8.count }
        guard size <= vocabulary.limits.maximumTextBytes else {
            throw .textTooLong(bytes: size, maximumBytes: vocabulary.limits.maximumTextBytes)
        }
        let conversation = try conversation.normalized()
        let plain = try handle.render(conversation, addGenerationPrompt: addGenerationPrompt)
        let text = String(decoding: plain, as: UTF8.self)
        let texts = conversation.texts
        guard let mask = try ContentMask(borders: vocabulary.controlBorders, texts: texts) else {
            return RenderedPrompt(text: text, bytes: plain, mask: nil)
        }
        let marked = try handle.render(
            conversation.mapTexts(mask.mask, json: mask.maskStrings),
            addGenerationPrompt: addGenerationPrompt)
        if controlTokens(in: plain) == controlTokens(in: marked) {
            return RenderedPrompt(text: text, bytes: plain, mask: nil)
        }
        return RenderedPrompt(text: text, bytes: marked, mask: mask)
    }

    package func render(
        messages: [TemplateMessage], addGenerationPrompt: Bool = true
    ) throws(TokenizationError) -> RenderedPrompt {
        try render(
            TemplateConversation(messages: messages), addGenerationPrompt: addGenerationPrompt)
    }

    /// What understands the answer to `conversation`. Takes milliseconds.
    ///
    /// Of the tools' parameters it needs the properties' types; it throws `templateRefused` for
    /// schemas that the library does not read.
    package func parser(
        for conversation: TemplateConversation
    ) throws(TokenizationError) -> AnswerParser {
        AnswerParser(try handle.parser(for: try conversation.normalized()))
    }

    private func controlTokens(in bytes: [UInt8]) -> [TokenID] {
        let special = vocabulary.specialTokens
        return special.occurrences(in: bytes).compactMap {
            let token = special.tokens[$0.token]
            return token.isControl ? token.id : nil
        }
    }
}
