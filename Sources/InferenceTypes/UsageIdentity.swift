/// Under which name a choice's tokens are billed: what a worker writes to its journal beside them.
package struct UsageIdentity: Hashable, Sendable {
    /// Unique for each request, made by the gateway: `x-request-id` is the client's and may repeat.
    package var id: String
    /// Of the request's choices, from 0.
    package var choice: Int
    /// Choices that share a prompt: those of numbers 0..<n, n..<2n, … have one each.
    package var choicesPerPrompt: Int
    package var application: String
    /// Which key asked; never the key itself. Empty for none.
    package var keyID: String

    package init(
        id: String, choice: Int, choicesPerPrompt: Int = 1, application: String = "",
        keyID: String = ""
    ) {
        self.id = id
        self.choice = choice
        self.choicesPerPrompt = choicesPerPrompt
        self.application = application
        self.keyID = keyID
    }
}
