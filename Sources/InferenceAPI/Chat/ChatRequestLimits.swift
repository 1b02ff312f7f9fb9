/// What one chat request may ask for. Everything beyond is refused with 400 and the parameter's
/// name, except the body's size, which is refused while it arrives.
package struct ChatRequestLimits: Hashable, Sendable {
    package var json = JSONLimits()
    package var messages: Int = 8_192
    package var contentParts: Int = 1_024
    /// Calls of one message.
    package var toolCalls: Int = 128
    /// Functions that a request defines.
    package var tools: Int = 128
    /// `n`.
    package var choices: Int = 128
    package var stopStrings: Int = 16
    /// Bytes of one stop string: what may be held back from the client.
    package var stopStringBytes: Int = 256
    package var logitBiases: Int = 4_096
    /// Bytes of a GBNF grammar.
    package var grammarBytes: Int = 65_536
    /// Bytes of a JSON schema.
    package var schemaBytes: Int = 65_536
    package var topLogprobs: Int = 20
    /// Token ids of one prompt that is not text; far above any context.
    package var promptTokens: Int = 1 << 22
    /// Bytes of a name, an id or a key.
    package var nameBytes: Int = 512
    /// Whether `deferred: true` is served.
    package var allowsDeferred = false
    /// Whether `background: true` is served without a stream, that is, answers are kept.
    package var allowsBackground = false
    /// The body goes on as it is, to a server that decides by itself whether it serves tools,
    /// formats and media: those are not refused here, and not read.
    package var isForwarded = false

    package init() {}
}
