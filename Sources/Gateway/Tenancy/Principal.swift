import Admission
import InferenceTypes
import Storage

/// Who makes a request, found once from its key. Immutable: what is changed meanwhile holds for the
/// next request.
final class Principal: Sendable {
    let tenant: TenantNumber
    /// Stable over restarts: names the tenant in the storage, in the ledger and to workers.
    let tenantID: String
    /// Empty where there is none.
    let application: String
    let key: KeyNumber
    /// As `tenantID`; empty for requests without a key. Never the key itself.
    let keyID: String
    /// For logs; nil for requests without a key.
    let keyName: String?
    /// The part of the key that is no secret; nil where it has none.
    let keyPrefix: String?
    /// The best tier that is granted.
    let tierCeiling: ServiceTier
    let share: TenantShare
    let keyLimits: RateLimits
    let tenantLimits: RateLimits
    /// By model: of the tenant's use of it.
    let modelLimits: [String: RateLimits]
    let keyBudget: BudgetLimit
    let tenantBudget: BudgetLimit
    let access: Access

    init(
        tenant: TenantNumber = .builtIn, tenantID: String, application: String = "",
        key: KeyNumber = .none, keyID: String = "", keyName: String? = nil,
        keyPrefix: String? = nil, tierCeiling: ServiceTier = .priority,
        share: TenantShare = .equal, keyLimits: RateLimits = .none,
        tenantLimits: RateLimits = .none, modelLimits: [String: RateLimits] = [:],
        keyBudget: BudgetLimit = .none, tenantBudget: BudgetLimit = .none, access: Access = .all
    ) {
        self.tenant = tenant
        self.tenantID = tenantID
        self.application = application
        self.key = key
        self.keyID = keyID
        self.keyName = keyName
        self.keyPrefix = keyPrefix
        self.tierCeiling = tierCeiling
        self.share = share
        self.keyLimits = keyLimits
        self.tenantLimits = tenantLimits
        self.modelLimits = modelLimits
        self.keyBudget = keyBudget
        self.tenantBudget = tenantBudget
        self.access = access
    }

    /// What a request that asks for a tier gets: nothing better than the ceiling.
    func granted(_ asked: ServiceTier?) -> ServiceTier { max(asked ?? .standard, tierCeiling) }

    /// Whose is what it stores.
    var owner: Owner { Owner(tenant: tenantID, application: application, keyID: keyID) }

    /// As workers are told; empty for the built-in tenant.
    var billedTenant: String { tenant == .builtIn ? "" : tenantID }
}
