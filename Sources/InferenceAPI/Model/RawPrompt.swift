package import InferenceTypes

/// A prompt that is no conversation (`/v1/completions`, `/v1/complete`, `Sample/SampleText`).
package enum RawPrompt: Hashable, Sendable {
    /// Tokenized as plain text: spellings of control tokens stay text.
    case text(String)
    /// In the model's own vocabulary, which has yet to be asked about them.
    case tokens([TokenID])
}
