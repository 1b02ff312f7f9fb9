/// What the router knows of a ticket's work. All of it may be missing; then only load counts.
package struct PlacementRequest: Hashable, Sendable {
    /// Length of the prompt.
    package var promptTokens: Int
    /// How many tokens the answer will probably have; part of the KV that is counted.
    package var outputTokens: Int
    package var blocks: PromptBlocks
    /// Hash of the conversation's key, salted by tenant; nil without one.
    package var conversation: UInt64?

    package static let unknown = PlacementRequest()

    package init(
        promptTokens: Int = 0, outputTokens: Int = 0, blocks: PromptBlocks = .none,
        conversation: UInt64? = nil
    ) {
        precondition(promptTokens >= 0, "promptTokens: \(promptTokens)")
        precondition(outputTokens >= 0, "outputTokens: \(outputTokens)")
        self.promptTokens = promptTokens
        self.outputTokens = outputTokens
        self.blocks = blocks
        self.conversation = conversation
    }
}
