/// A conversation in the words of a model's chat template, ready for `Vocabulary.tokenize`.
package struct RenderedPrompt: Sendable {
    /// The prompt as the model's authors meant it, without the leading BOS that tokenizing adds.
    package let text: String
    /// UTF-8 in which control tokens are only those that the template wrote: `text`, or a rendering
    /// of marked texts.
    let bytes: [UInt8]
    /// Turns parts of `bytes` back into what the client wrote; nil when `bytes` is `text`.
    let mask: ContentMask?
}
