package import InferenceTypes

/// Why a model could not be opened, or a text not be turned into tokens.
///
/// `modelUnusable` and `templateUnusable` happen at start-up and are the operator's; the others are
/// caused by one request and leave everything usable.
package enum TokenizationError: Error, Hashable, Sendable {
    /// The file is missing, is not a GGUF, or lacks what a chat model needs.
    case modelUnusable(path: String, reason: String)
    /// The chat template cannot be parsed.
    case templateUnusable(reason: String)
    /// The template refused these messages (`raise_exception`, a role it does not know, …).
    case templateRefused(reason: String)
    /// The text, or the rendered prompt, is over `TokenizationLimits.maximumTextBytes`.
    case textTooLong(bytes: Int, maximumBytes: Int)
    /// Plain text came out as a control token, which would let a client forge a turn.
    case controlTokenInText(TokenID)
    /// The texts use up the private-use characters that mark them while a template is rendered.
    case textNotMarkable
    case tooManyStopStrings(count: Int, maximum: Int)
    case emptyStopString
    case stopStringTooLong(bytes: Int, maximumBytes: Int)
    /// The model is good, but its tokenizer cannot be written in Hugging Face's format.
    case notExportable(reason: String)
    /// The library failed in a way that it should not: out of memory, a broken regular expression.
    case libraryFailed(reason: String)
}
