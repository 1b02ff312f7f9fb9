import HTTPTransport
import InferenceAPI
import InferenceTypes
import Storage

/// Who may ask for anything, by the digests of their keys. Immutable; replaced whole.
final class TenantDirectory: Sendable {
    /// Whether a key is taken now. All are Unix milliseconds.
    fileprivate struct Validity: Sendable {
        var isKeyBlocked = false
        var isTenantBlocked = false
        /// From when on requests are refused.
        var keyExpires = Int64.max
        var tenantExpires = Int64.max
        /// Of a key that was replaced: until when it is taken beside the new one.
        var until = Int64.max
    }

    private struct Entry: Sendable {
        let principal: Principal
        var validity = Validity()
    }

    /// Of the file.
    private let fileKeys: APIKeys?
    private let entries: [KeyDigest: Entry]
    /// By the ids of their keys, for what was accepted before.
    private let byID: [String: Entry]
    private let anonymous: Principal
    /// Unix seconds since when it holds.
    private let created = UnixClock.seconds()
    /// Whether requests need a key.
    let asksForKeys: Bool

    /// Everybody may ask.
    convenience init() {
        var numbers = IdentityNumbers()
        self.init(keys: nil, numbers: &numbers)
    }

    /// - Parameters:
    ///   - keys: of the built-in tenant.
    ///   - asksForKeys: also where there are neither such keys nor tenants.
    init(
        keys: APIKeys?, tenancy: Tenancy = Tenancy(), asksForKeys: Bool = false,
        numbers: inout IdentityNumbers
    ) {
        var entries: [KeyDigest: Entry] = [:]
        var byID: [String: Entry] = [:]
        let dedicated = Set(tenancy.tenants.flatMap { $0.terms.pools ?? [] })
        var shared = Access()
        shared.closedPools = dedicated
        for key in keys?.entries ?? [] {
            let principal = Principal(
                tenantID: Owner.builtInTenant, application: key.name, key: numbers.key(key.id),
                keyID: key.id, keyName: key.name, access: shared)
            // Of a key that is there twice, the later name holds.
            entries[key.digest] = Entry(principal: principal)
            byID[key.id] = Entry(principal: principal)
        }
        let tenants = Dictionary(uniqueKeysWithValues: tenancy.tenants.map { ($0.id, $0) })
        for key in tenancy.keys {
            guard let tenant = tenants[key.tenant] else { continue }
            let principal = Principal(
                key, of: tenant, closedPools: dedicated.subtracting(tenant.terms.pools ?? []),
                &numbers)
            var entry = Entry(principal: principal, validity: Validity(key, tenant))
            byID[key.id] = entry
            entries[KeyDigest(bytes: key.digest)] = entry
            guard let old = key.oldDigest else { continue }
            entry.validity.until = key.oldUntilMilliseconds ?? 0
            entries[KeyDigest(bytes: old)] = entry
        }
        fileKeys = keys
        self.entries = entries
        self.byID = byID
        anonymous = Principal(tenantID: Owner.builtInTenant, access: shared)
        self.asksForKeys = asksForKeys || keys != nil || !tenancy.tenants.isEmpty
    }

    /// Who sent a request with these fields.
    ///
    /// Throws `unauthenticated`, `invalidKey` and, for a key or tenant that is blocked or whose
    /// time is over, `permissionDenied`.
    func principal(
        _ fields: HTTPFields, now: Int64 = UnixClock.milliseconds()
    ) throws(APIError) -> Principal {
        guard asksForKeys else { return anonymous }
        guard let key = try RequestHeaders.key(of: fields) else {
            throw APIError(.unauthenticated, "No API key was given: send 'Authorization: Bearer'.")
        }
        // How long a lookup takes tells of digests at most, which nobody can choose.
        guard let entry = entries[KeyDigest(of: key)], now < entry.validity.until else {
            throw APIError(.invalidKey, "The API key is not known here.")
        }
        try entry.validity.check(now)
        return entry.principal
    }

    /// For whom something is done that was accepted before, perhaps by another process.
    ///
    /// Throws `permissionDenied`.
    func principal(
        of owner: Owner, now: Int64 = UnixClock.milliseconds()
    ) throws(APIError) -> Principal {
        if let entry = byID[owner.keyID] {
            try entry.validity.check(now)
            return entry.principal
        }
        guard owner.tenant == Owner.builtInTenant else {
            throw APIError(.permissionDenied, "The API key of this request was deleted.")
        }
        // A key of the file may be gone by now; what it has begun ends as it would have.
        return Principal(
            tenantID: owner.tenant, application: owner.application, keyID: owner.keyID,
            keyName: owner.application.isEmpty ? nil : owner.application,
            access: anonymous.access)
    }

    /// What the holder of a key that was accepted is told of it.
    ///
    /// - Parameter key: nil where none was given.
    func describe(_ principal: Principal, key: String?) -> APIKeyDescription {
        guard let prefix = principal.keyPrefix else {
            return key.flatMap { fileKeys?.description(of: $0) }
                ?? APIKeys.anonymous(loaded: created)
        }
        let application = "\(principal.tenantID)\u{0}\(principal.application)"
        var description = APIKeyDescription(
            redactedKey: prefix + "-...", apiKeyID: principal.keyID,
            userID: StableID.of("user", application),
            teamID: StableID.of("team", principal.tenantID), name: principal.keyName ?? "",
            loaded: created)
        description.acls =
            (principal.access.modelNames ?? ["*"]).map { "api-key:model:\($0)" }
            + (principal.access.endpointNames ?? ["*"]).map { "api-key:endpoint:\($0)" }
        description.storesNothing = principal.access.storesNothing
        return description
    }
}

extension TenantDirectory.Validity {
    fileprivate init(_ key: KeyRecord, _ tenant: TenantRecord) {
        isKeyBlocked = key.isBlocked
        isTenantBlocked = tenant.isBlocked
        keyExpires = key.terms.expires.map { $0 * 1_000 } ?? .max
        tenantExpires = tenant.terms.expires.map { $0 * 1_000 } ?? .max
    }

    fileprivate func check(_ now: Int64) throws(APIError) {
        if isTenantBlocked { throw APIError(.permissionDenied, "The tenant is blocked.") }
        if isKeyBlocked { throw APIError(.permissionDenied, "The API key is blocked.") }
        if now >= tenantExpires {
            throw APIError(.permissionDenied, "The tenant's licence has expired.")
        }
        if now >= keyExpires { throw APIError(.permissionDenied, "The API key has expired.") }
    }
}
