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

    private let vocabulary: Vocabulary
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
        messages: [TemplateMessage], addGenerationPrompt: Bool = true
    ) throws(TokenizationError) -> RenderedPrompt {
        let texts = messages.flatMap(\.texts)
        let size = texts.reduce(0) { $0 + $1.utf8.count }
        guard size <= vocabulary.limits.maximumTextBytes else {
            throw .textTooLong(bytes: size, maximumBytes: vocabulary.limits.maximumTextBytes)
        }
        let plain = try handle.render(messages, addGenerationPrompt: addGenerationPrompt)
        let text = String(decoding: plain, as: UTF8.self)
        guard let mask = try ContentMask(borders: vocabulary.controlBorders, texts: texts) else {
            return RenderedPrompt(text: text, bytes: plain, mask: nil)
        }
        let marked = try handle.render(
            messages.map { $0.mapTexts(mask.mask) }, addGenerationPrompt: addGenerationPrompt)
        if controlTokens(in: plain) == controlTokens(in: marked) {
            return RenderedPrompt(text: text, bytes: plain, mask: nil)
        }
        return RenderedPrompt(text: text, bytes: marked, mask: mask)
    }

    private func controlTokens(in bytes: [UInt8]) -> [TokenID] {
        let special = vocabulary.specialTokens
        return special.occurrences(in: bytes).compactMap {
            let token = special.tokens[$0.token]
            return token.isControl ? token.id : nil
        }
    }
}
