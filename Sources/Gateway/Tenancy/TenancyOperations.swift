import Foundation
import InferenceAPI
import NIOCore
import Storage

/// Makes, changes and shows tenants and keys. Every call blocks; what it changes holds for a
/// running gateway once its `PoolDirectory` has read it.
struct TenancyOperations {
    /// How long a rotated key is good beside its successor, unless asked otherwise.
    static let graceSeconds: Int64 = 3_600
    static let graceSecondsLimit: Int64 = 30 * 86_400
    private static let textBytesLimit = 256

    let storage: any Storage
    /// Public keys of those whose licences are taken; nil: nobody's.
    var licenseKeyFile: String?
    let now = UnixClock.milliseconds()

    /// The answer as JSON.
    func perform(_ route: TenancyRoute, body: [UInt8]) throws(APIError) -> [UInt8] {
        var body = try TermsBody(body)
        switch route {
        case .tenants:
            let all = try kept("tenant") { () throws(StorageError) in try storage.tenancy() }
            return try Self.json(["tenants": all.tenants.map { TenantView($0) }])
        case .createTenant: return try createTenant(&body)
        case .tenant(let id): return try show(try tenant(id))
        case .updateTenant(let id):
            var tenant = try tenant(id)
            if let name = try body.text("name") { tenant.name = try Self.checked(name, "name") }
            let terms = try body.terms(over: tenant.terms, isKey: false)
            guard tenant.license == nil || terms == tenant.terms else {
                throw APIError(
                    .permissionDenied, "The tenant's terms are its licence's: import another one.")
            }
            tenant.terms = terms
            return try update(&tenant)
        case .deleteTenant(let id):
            try kept("tenant") { () throws(StorageError) in try storage.deleteTenant(id) }
            return try Self.json(["ok": true])
        case .blockTenant(let id, let isBlocked):
            var tenant = try tenant(id)
            tenant.isBlocked = isBlocked
            return try update(&tenant)
        case .keys(let tenant):
            if let tenant { _ = try self.tenant(tenant) }
            let all = try kept("key") { () throws(StorageError) in try storage.tenancy() }
            return try Self.json([
                "keys": all.keys.filter { tenant == nil || $0.tenant == tenant }
                    .map { KeyView($0) }
            ])
        case .createKey: return try createKey(&body)
        case .key(let id): return try Self.json(KeyView(try key(id)))
        case .updateKey(let id):
            var key = try key(id)
            if let name = try body.text("name") { key.name = try Self.checked(name, "name") }
            key.terms = try body.terms(over: key.terms, isKey: true)
            return try update(&key)
        case .deleteKey(let id):
            try kept("key") { () throws(StorageError) in try storage.deleteKey(Self.id(id)) }
            return try Self.json(["ok": true])
        case .blockKey(let id, let isBlocked):
            var key = try key(id)
            key.isBlocked = isBlocked
            return try update(&key)
        case .rotateKey(let id): return try rotate(try key(id), &body)
        case .importLicense:
            let token = try body.required("license")
            try body.end()
            return try importLicense(token.trimmingCharacters(in: .whitespacesAndNewlines))
        }
    }

    // MARK: Tenants

    private func createTenant(_ body: inout TermsBody) throws(APIError) -> [UInt8] {
        let id = try body.required("id")
        let name = try body.text("name") ?? id
        try Self.checkID(id)
        let tenant = TenantRecord(
            id: id, name: try Self.checked(name, "name"), terms: try body.terms(isKey: false),
            now: now)
        try checkShares(tenant)
        try change("tenant") { () throws(StorageError) in try storage.create(tenant) }
        return try show(tenant)
    }

    func update(_ tenant: inout TenantRecord) throws(APIError) -> [UInt8] {
        try checkShares(tenant)
        tenant.updatedMilliseconds = now
        let changed = tenant
        try change("tenant") { () throws(StorageError) in try storage.update(changed) }
        return try show(tenant)
    }

    func tenant(_ id: String) throws(APIError) -> TenantRecord {
        try kept("tenant") { () throws(StorageError) in try storage.tenant(id) }
    }

    func show(_ tenant: TenantRecord) throws(APIError) -> [UInt8] {
        var view = TenantView(tenant)
        view.applications = try kept("tenant") { () throws(StorageError) in
            try storage.applications(of: tenant.id)
        }
        return try Self.json(view)
    }

    /// More than all of a pool cannot be guaranteed.
    func checkShares(_ tenant: TenantRecord) throws(APIError) {
        guard let share = tenant.terms.guaranteedShare, share > 0 else { return }
        let others = try kept("tenant") { () throws(StorageError) in try storage.tenancy() }
            .tenants.filter { $0.id != tenant.id }
        let sum = others.reduce(share) { $0 + ($1.terms.guaranteedShare ?? 0) }
        guard sum <= 1.000_001 else {
            throw APIError(
                .invalidValue,
                "guaranteed_share: all tenants together would be guaranteed \(sum) of each pool.",
                parameter: "guaranteed_share")
        }
    }

    // MARK: Keys

    private func createKey(_ body: inout TermsBody) throws(APIError) -> [UInt8] {
        let tenant = try body.required("tenant")
        let application = try body.text("application") ?? "default"
        let name = try body.text("name") ?? application
        var generator = SystemRandomNumberGenerator()
        let text = APIKeyText(&generator)
        let key = KeyRecord(
            id: text.id, tenant: tenant,
            application: try Self.checked(application, "application"),
            name: try Self.checked(name, "name"), digest: KeyDigest(of: text.text).bytes,
            terms: try body.terms(isKey: true), now: now)
        try change("tenant") { () throws(StorageError) in try storage.create(key) }
        return try show(key, text)
    }

    /// The application keeps what it has stored; whoever has the old secret has time to change.
    private func rotate(_ key: KeyRecord, _ body: inout TermsBody) throws(APIError) -> [UInt8] {
        let grace =
            try body.seconds("grace_seconds", in: 0...Self.graceSecondsLimit) ?? Self.graceSeconds
        try body.end()
        var generator = SystemRandomNumberGenerator()
        let text = APIKeyText(id: key.id, &generator)
        var key = key
        key.oldDigest = key.digest
        key.oldUntilMilliseconds = now + grace * 1_000
        key.digest = KeyDigest(of: text.text).bytes
        _ = try update(&key)
        return try show(key, text)
    }

    /// With its secret, for the only time.
    private func show(_ key: KeyRecord, _ text: APIKeyText) throws(APIError) -> [UInt8] {
        var view = KeyView(key)
        view.key = text.text
        return try Self.json(view)
    }

    private func update(_ key: inout KeyRecord) throws(APIError) -> [UInt8] {
        key.updatedMilliseconds = now
        let changed = key
        try change("key") { () throws(StorageError) in try storage.update(changed) }
        return try Self.json(KeyView(key))
    }

    private func key(_ id: String) throws(APIError) -> KeyRecord {
        try kept("key") { () throws(StorageError) in try storage.key(Self.id(id)) }
    }

    /// People have the key's prefix at hand.
    private static func id(_ text: String) -> String {
        let start = APIKeyText.prefix(of: "")
        return text.hasPrefix(start) ? String(text.dropFirst(start.count).prefix(16)) : text
    }

    // MARK: Checks

    static func checkID(_ id: String) throws(APIError) {
        let isGood =
            (1...64).contains(id.utf8.count)
            && id.utf8.allSatisfy {
                switch $0 {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                    true
                default: false
                }
            } && id != Owner.builtInTenant
        guard isGood else {
            throw APIError(
                .invalidValue,
                "id: expected 1...64 of a-z, 0-9 and -_., and not \(Owner.builtInTenant).",
                parameter: "id")
        }
    }

    static func checked(_ text: String, _ name: String) throws(APIError) -> String {
        guard (1...textBytesLimit).contains(text.utf8.count),
            !text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F })
        else {
            throw APIError(
                .invalidValue, "\(name): expected 1...\(textBytesLimit) bytes of text.",
                parameter: name)
        }
        return text
    }

    /// As `kept`, with an operator's words for what has no room.
    func change(
        _ thing: String, _ operation: () throws(StorageError) -> Void
    ) throws(APIError) {
        do {
            try operation()
        } catch .limitReached(let limit, let most) {
            throw APIError(.invalidValue, "There are \(most) \(limit.rawValue) already.")
        } catch {
            throw APIError(error, thing: thing)
        }
    }

    private static func json(_ value: some Encodable) throws(APIError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return Array(try encoder.encode(value)) + [UInt8(ascii: "\n")]
        } catch {
            throw APIError(.internal, "The answer cannot be written.")
        }
    }
}
