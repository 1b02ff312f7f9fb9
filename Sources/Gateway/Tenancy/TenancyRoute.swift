import InferenceAPI

/// What operators ask about tenants and keys, as far as method and path say.
///
/// | Path below `/admin/v1` | Methods |
/// |---|---|
/// | `/tenants`, `/keys` | GET, POST |
/// | `/tenants/ID`, `/keys/ID` | GET, PATCH, DELETE |
/// | `/tenants/ID/VERB` | POST; `block`, `unblock`, `keys` (GET) |
/// | `/keys/ID/VERB` | POST; `block`, `unblock`, `rotate` |
/// | `/licenses` | POST |
enum TenancyRoute: Hashable, Sendable {
    case tenants, createTenant
    case tenant(String)
    case updateTenant(String)
    case deleteTenant(String)
    case blockTenant(String, Bool)
    /// Nil: of all tenants.
    case keys(tenant: String?)
    case createKey
    case key(String)
    case updateKey(String)
    case deleteKey(String)
    case blockKey(String, Bool)
    case rotateKey(String)
    case importLicense

    /// - Parameter parts: of the path, from `tenants`, `keys` or `licenses` on.
    /// Throws `routeNotFound`, `methodNotAllowed`.
    init(method: String, _ parts: [String]) throws(APIError) {
        guard let routes = Self.routes(parts) else {
            throw APIError(.routeNotFound, "Unknown path.")
        }
        guard let route = routes[method] else {
            throw .methodNotAllowed(
                method, allowed: routes.keys.sorted().joined(separator: ", "))
        }
        self = route
    }

    private static func routes(_ parts: [String]) -> [String: TenancyRoute]? {
        let id = parts.count > 1 ? parts[1] : ""
        switch (parts.first, parts.count, parts.last) {
        case ("tenants", 1, _): return ["GET": .tenants, "POST": .createTenant]
        case ("tenants", 2, _):
            return [
                "GET": .tenant(id), "PATCH": .updateTenant(id), "DELETE": .deleteTenant(id),
            ]
        case ("tenants", 3, "keys"): return ["GET": .keys(tenant: id)]
        case ("tenants", 3, "block"): return ["POST": .blockTenant(id, true)]
        case ("tenants", 3, "unblock"): return ["POST": .blockTenant(id, false)]
        case ("keys", 1, _): return ["GET": .keys(tenant: nil), "POST": .createKey]
        case ("keys", 2, _):
            return ["GET": .key(id), "PATCH": .updateKey(id), "DELETE": .deleteKey(id)]
        case ("keys", 3, "block"): return ["POST": .blockKey(id, true)]
        case ("keys", 3, "unblock"): return ["POST": .blockKey(id, false)]
        case ("keys", 3, "rotate"): return ["POST": .rotateKey(id)]
        case ("licenses", 1, _): return ["POST": .importLicense]
        default: return nil
        }
    }

    var changesSomething: Bool {
        switch self {
        case .tenants, .tenant, .keys, .key: false
        default: true
        }
    }
}
