/// Whose something is. What one owner stores does not exist for any other.
package struct Owner: Hashable, Sendable {
    /// The only one until tenants are configured.
    package static let builtInTenant = "default"

    package var tenant: String
    /// The API key's name; empty where none is asked for.
    package var key: String

    package init(tenant: String = Owner.builtInTenant, key: String?) {
        self.tenant = tenant
        self.key = key ?? ""
    }
}
