/// A licensee.
package struct TenantRecord: Hashable, Sendable {
    /// Chosen by whoever made it; never another tenant's later.
    package var id: String
    /// For people.
    package var name: String
    package var isBlocked = false
    package var terms: Terms
    /// The licence that the terms came from, as it was issued.
    package var license: String?
    /// Unix milliseconds.
    package var createdMilliseconds: Int64
    package var updatedMilliseconds: Int64

    package init(id: String, name: String, terms: Terms = Terms(), now: Int64) {
        self.id = id
        self.name = name
        self.terms = terms
        createdMilliseconds = now
        updatedMilliseconds = now
    }
}

/// A key of an application of a tenant, without its secret.
package struct KeyRecord: Hashable, Sendable {
    /// The part of the key that is no secret.
    package var id: String
    package var tenant: String
    package var application: String
    /// For people and logs.
    package var name: String
    /// SHA-256 of the whole key.
    package var digest: [UInt8]
    /// Of the key before the last rotation, and until when that one is good, in Unix milliseconds.
    package var oldDigest: [UInt8]?
    package var oldUntilMilliseconds: Int64?
    package var isBlocked = false
    package var terms: Terms
    package var createdMilliseconds: Int64
    package var updatedMilliseconds: Int64

    package init(
        id: String, tenant: String, application: String, name: String, digest: [UInt8],
        terms: Terms = Terms(), now: Int64
    ) {
        self.id = id
        self.tenant = tenant
        self.application = application
        self.name = name
        self.digest = digest
        self.terms = terms
        createdMilliseconds = now
        updatedMilliseconds = now
    }
}

/// All tenants and their keys, by id.
package struct Tenancy: Hashable, Sendable {
    package var tenants: [TenantRecord] = []
    package var keys: [KeyRecord] = []

    package init() {}
}
