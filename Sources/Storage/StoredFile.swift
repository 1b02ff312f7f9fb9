/// A file's description. Its content is read in parts.
package struct StoredFile: Hashable, Sendable {
    package var id: String
    package var owner: Owner
    package var name: String
    package var purpose: String
    package var bytes: Int
    /// Unix milliseconds.
    package var createdMilliseconds: Int64
    /// Nil: it stays until it is deleted.
    package var expiresMilliseconds: Int64?

    package init(
        id: String, owner: Owner, name: String, purpose: String, bytes: Int = 0,
        createdMilliseconds: Int64, expiresMilliseconds: Int64? = nil
    ) {
        self.id = id
        self.owner = owner
        self.name = name
        self.purpose = purpose
        self.bytes = bytes
        self.createdMilliseconds = createdMilliseconds
        self.expiresMilliseconds = expiresMilliseconds
    }
}
