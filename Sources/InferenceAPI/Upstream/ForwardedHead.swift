/// What stands in a forwarded answer for what the upstream calls itself.
package struct ForwardedHead: Hashable, Sendable {
    /// `chatcmpl-…`; the same in every chunk.
    package var id: String
    /// Our name of the model.
    package var model: String
    /// Nil is sent as null.
    package var systemFingerprint: String?

    package init(id: String, model: String, systemFingerprint: String?) {
        self.id = id
        self.model = model
        self.systemFingerprint = systemFingerprint
    }
}
