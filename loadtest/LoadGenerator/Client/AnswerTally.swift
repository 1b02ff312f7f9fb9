/// What an answer has brought so far, whatever it came as.
package struct AnswerTally: Sendable, Equatable {
    /// Why it ended: of the last choice that said so.
    package enum Finish: String, Sendable { case stop, length, other }

    /// Events with text or reasoning that is not empty.
    package var deltas = 0
    /// Comment lines (`: keepalive`).
    package var comments = 0
    package var finish: Finish?
    /// The end came, as the protocol has it.
    package var isDone = false
    /// The answer told an error.
    package var hasError = false
    /// What the server counted, where it tells it.
    package var promptTokens: Int?
    package var completionTokens: Int?
    package var cachedTokens: Int?
    /// The text (not the reasoning) in the answer's own encoding, where it is kept.
    package var text: [UInt8] = []

    package init() {}

    /// A longer answer's rest is not kept.
    static let textBytesMax = 4 << 20
}
