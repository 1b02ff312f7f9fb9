/// A request and its answer, kept to be fetched by the answer's id and to be continued.
package struct StoredResponse: Hashable, Sendable {
    package var id: String
    package var owner: Owner
    package var tier: String
    /// Whose face's `decode` reads `body`.
    package var face: String
    package var body: [UInt8]
    /// The stored response that this one continues.
    package var previousID: String?
    /// In the gateway's own form.
    package var completion: [UInt8]
    /// Unix milliseconds.
    package var createdMilliseconds: Int64

    package init(
        id: String, owner: Owner, tier: String, face: String, body: [UInt8], previousID: String?,
        completion: [UInt8], createdMilliseconds: Int64
    ) {
        self.id = id
        self.owner = owner
        self.tier = tier
        self.face = face
        self.body = body
        self.previousID = previousID
        self.completion = completion
        self.createdMilliseconds = createdMilliseconds
    }
}
