/// Whose something is: an application's of a tenant, whichever of its keys it came with. What one
/// owner stores does not exist for any other.
package struct Owner: Hashable, Sendable {
    /// Whose all requests are where no tenants are configured.
    package static let builtInTenant = "default"

    package var tenant: String
    /// Empty where no key is asked for. A key of the built-in tenant is an application by itself.
    package var application: String
    /// The key that it came with; who pays for it. Not a part of who the owner is: a key may be
    /// replaced by another one.
    package var keyID: String

    package init(
        tenant: String = Owner.builtInTenant, application: String = "", keyID: String = ""
    ) {
        self.tenant = tenant
        self.application = application
        self.keyID = keyID
    }

    package static func == (left: Owner, right: Owner) -> Bool {
        left.tenant == right.tenant && left.application == right.application
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(tenant)
        hasher.combine(application)
    }
}
