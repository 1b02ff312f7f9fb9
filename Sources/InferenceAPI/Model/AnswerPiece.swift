/// One thing that a choice puts out, in order.
package enum AnswerPiece: Hashable, Sendable {
    /// Visible text: whole UTF-8, never part of a stop string. `logprobs` are those of the tokens
    /// whose text is out with it; nil when not asked for. The text may be empty when they are not.
    case text(String, logprobs: [ChatTokenLogprob]?)
    /// What the model thought before it answered.
    case reasoning(String)
    /// A whole call, valid JSON arguments included.
    case toolCall(ChatToolCall)
}
