import HTTPTransport
import InferenceAPI
import InferenceTypes
import Storage

/// Who may ask for anything, by the digests of their keys. Immutable; replaced whole.
final class TenantDirectory: Sendable {
    /// Nil: no key is asked for.
    private let keys: APIKeys?
    private let principals: [KeyDigest: Principal]
    /// By the ids of their keys, for what was accepted before.
    private let byID: [String: Principal]
    private let anonymous = Principal(tenantID: Owner.builtInTenant)
    /// Unix seconds since when it holds.
    private let created = UnixClock.seconds()

    /// Everybody may ask.
    init() {
        keys = nil
        principals = [:]
        byID = [:]
    }

    /// - Parameter keys: of the built-in tenant; nil: everybody may ask.
    init(keys: APIKeys?, numbers: inout IdentityNumbers) {
        var principals: [KeyDigest: Principal] = [:]
        var byID: [String: Principal] = [:]
        for key in keys?.entries ?? [] {
            let principal = Principal(
                tenantID: Owner.builtInTenant, application: key.name, key: numbers.key(key.id),
                keyID: key.id, keyName: key.name)
            // Of a key that is there twice, the later name holds.
            principals[key.digest] = principal
            byID[key.id] = principal
        }
        self.keys = keys
        self.principals = principals
        self.byID = byID
    }

    private var isOpen: Bool { keys == nil }

    /// Who sent a request with these fields.
    ///
    /// Throws `unauthenticated` and `invalidKey`.
    func principal(_ fields: HTTPFields) throws(APIError) -> Principal {
        guard !isOpen else { return anonymous }
        guard let key = try RequestHeaders.key(of: fields) else {
            throw APIError(.unauthenticated, "No API key was given: send 'Authorization: Bearer'.")
        }
        // How long a lookup takes tells of digests at most, which nobody can choose.
        guard let principal = principals[KeyDigest(of: key)] else {
            throw APIError(.invalidKey, "The API key is not known here.")
        }
        return principal
    }

    /// For whom something is done that was accepted before, perhaps by another process.
    func principal(of owner: Owner) throws(APIError) -> Principal {
        if let principal = byID[owner.keyID] { return principal }
        // A key of the file may be gone by now; what it has begun ends as it would have.
        return Principal(
            tenantID: owner.tenant, application: owner.application, keyID: owner.keyID,
            keyName: owner.application.isEmpty ? nil : owner.application)
    }

    /// What the holder of a key that was accepted is told of it.
    ///
    /// - Parameter key: nil where none was given.
    func describe(_ principal: Principal, key: String?) -> APIKeyDescription {
        key.flatMap { keys?.description(of: $0) } ?? APIKeys.anonymous(loaded: created)
    }
}
