internal import CLlamaChat

/// Takes whole answers apart, in the words of one template and of the tools of one conversation.
/// Immutable; `parse` may be called from any thread.
package final class AnswerParser: Sendable {
    package struct Call: Hashable, Sendable {
        package var name: String
        /// What the model wrote; JSON, unless the answer was cut.
        package var arguments: String
    }

    package struct Answer: Hashable, Sendable {
        package var content: String
        package var reasoning: String
        package var calls: [Call]
    }

    private let handle: ParserHandle
    /// Words with which calls begin. None: an answer is understood at its end only.
    package let triggers: [String]
    /// Special tokens whose spelling is part of what is parsed.
    let preserved: [String]

    init(_ handle: consuming ParserHandle) {
        triggers = handle.words(SWITCHYARD_CHAT_TRIGGER)
        preserved = handle.words(SWITCHYARD_CHAT_PRESERVED)
        self.handle = handle
    }

    /// Nil when it is nothing that the model should have written.
    package func parse(_ answer: [UInt8]) -> Answer? { handle.parse(answer) }
}
