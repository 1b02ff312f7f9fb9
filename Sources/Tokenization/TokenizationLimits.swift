/// Bounds on what clients can make the tokenizer do.
package struct TokenizationLimits: Hashable, Sendable {
    /// Longest text, or rendered prompt, in bytes of UTF-8. Over it: `textTooLong`. A token covers
    /// about 4 bytes, so the default is a million tokens; it costs 24 bytes of memory per byte for
    /// as long as one call runs.
    package var maximumTextBytes = 4 << 20
    /// Stop strings of one request (API.md §2.1: 16 on every face). Over it: `tooManyStopStrings`.
    package var maximumStopStrings = 16
    /// Longest stop string, in bytes of UTF-8; as many bytes of output may be held back.
    /// Over it: `stopStringTooLong`.
    package var maximumStopStringBytes = 1024

    package init() {}
}
