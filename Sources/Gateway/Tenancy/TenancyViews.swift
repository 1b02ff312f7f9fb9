import Storage

/// A tenant as operators see it.
struct TenantView: Encodable {
    var id: String
    var name: String
    var isBlocked: Bool
    var terms: Terms
    var isLicensed: Bool
    /// Unix seconds.
    var created: Int64
    var updated: Int64
    /// Only where one tenant is shown.
    var applications: [String]?

    enum CodingKeys: String, CodingKey {
        case id, name, terms, created, updated, applications
        case isBlocked = "blocked"
        case isLicensed = "licensed"
    }

    init(_ tenant: TenantRecord) {
        id = tenant.id
        name = tenant.name
        isBlocked = tenant.isBlocked
        terms = tenant.terms
        isLicensed = tenant.license != nil
        created = tenant.createdMilliseconds / 1_000
        updated = tenant.updatedMilliseconds / 1_000
    }
}

/// A key as operators see it.
struct KeyView: Encodable {
    var id: String
    var prefix: String
    var tenant: String
    var application: String
    var name: String
    var isBlocked: Bool
    var terms: Terms
    /// Unix seconds.
    var created: Int64
    var updated: Int64
    /// Until when the key before the last rotation is good too.
    var oldUntil: Int64?
    /// The key itself: only in the answer to who made or rotated it.
    var key: String?

    enum CodingKeys: String, CodingKey {
        case id, prefix, tenant, application, name, terms, created, updated, key
        case isBlocked = "blocked"
        case oldUntil = "old_until"
    }

    init(_ record: KeyRecord) {
        id = record.id
        prefix = APIKeyText.prefix(of: record.id)
        tenant = record.tenant
        application = record.application
        name = record.name
        isBlocked = record.isBlocked
        terms = record.terms
        created = record.createdMilliseconds / 1_000
        updated = record.updatedMilliseconds / 1_000
        oldUntil = record.oldUntilMilliseconds.map { $0 / 1_000 }
    }
}
