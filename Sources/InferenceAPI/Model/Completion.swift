package import InferenceTypes

/// A whole answer, before it has a face.
package struct Completion: Hashable, Sendable {
    package struct Choice: Hashable, Sendable {
        /// Visible text.
        package var content: String
        /// Left out of answers when nil.
        package var reasoningContent: String?
        package var toolCalls: [ChatToolCall] = []
        /// Nil when log probabilities were not asked for; the field is then left out.
        package var logprobs: [ChatTokenLogprob]?
        package var finishReason: FinishReason

        package init(content: String, finishReason: FinishReason) {
            self.content = content
            self.finishReason = finishReason
        }
    }

    package var head: ChatResponseHead
    /// In order of `index`.
    package var choices: [Choice]
    /// Of all choices together; the prompt counts once.
    package var usage: Usage

    package init(head: ChatResponseHead, choices: [Choice], usage: Usage) {
        self.head = head
        self.choices = choices
        self.usage = usage
    }
}

/// Puts a `Completion` together from what its choices put out.
package struct CompletionCollector: Sendable {
    private var choices: [Completion.Choice]

    /// - Parameter wantsLogprobs: else their field is left out.
    package init(choiceCount: Int, wantsLogprobs: Bool) {
        // Cancelled, until something else is known.
        var choice = Completion.Choice(content: "", finishReason: .cancelled)
        choice.logprobs = wantsLogprobs ? [] : nil
        choices = Array(repeating: choice, count: choiceCount)
    }

    package mutating func append(_ piece: AnswerPiece, choice: Int) {
        switch piece {
        case .text(let text, let logprobs):
            choices[choice].content += text
            if let logprobs { choices[choice].logprobs?.append(contentsOf: logprobs) }
        case .reasoning(let text):
            choices[choice].reasoningContent = (choices[choice].reasoningContent ?? "") + text
        case .toolCall(let call):
            choices[choice].toolCalls.append(call)
        }
    }

    package mutating func finish(_ reason: FinishReason, choice: Int) {
        choices[choice].finishReason = reason
    }

    package func completion(_ head: ChatResponseHead, _ usage: Usage) -> Completion {
        Completion(head: head, choices: choices, usage: usage)
    }
}
