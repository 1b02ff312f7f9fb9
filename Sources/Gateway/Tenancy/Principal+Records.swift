import Admission
import InferenceTypes
import Storage

extension Principal {
    /// Of a key of a tenant.
    ///
    /// - Parameter closedPools: of other tenants.
    convenience init(
        _ key: KeyRecord, of tenant: TenantRecord, closedPools: Set<String>,
        _ numbers: inout IdentityNumbers
    ) {
        let (terms, own) = (tenant.terms, key.terms)
        var access = Access()
        access.models = [terms.models, own.models].compactMap { $0.map { NamePatterns($0) } }
        access.endpoints = [terms.endpoints, own.endpoints].compactMap {
            $0.map { NamePatterns($0) }
        }
        access.modelNames = own.models ?? terms.models
        access.endpointNames = own.endpoints ?? terms.endpoints
        access.ownPools = Set(terms.pools ?? [])
        access.closedPools = closedPools
        access.storesNothing = terms.retentionSeconds == 0
        let ceilings = [terms.tier, own.tier].compactMap { $0.flatMap { ServiceTier(name: $0) } }
        self.init(
            tenant: numbers.tenant(tenant.id), tenantID: tenant.id, application: key.application,
            key: numbers.key(key.id), keyID: key.id, keyName: key.name,
            keyPrefix: APIKeyText.prefix(of: key.id), tierCeiling: ceilings.max() ?? .priority,
            share: TenantShare(terms), keyLimits: RateLimits(own.limits),
            tenantLimits: RateLimits(terms.limits),
            modelLimits: (terms.modelLimits ?? [:]).mapValues { RateLimits($0) },
            keyBudget: BudgetLimit(own), tenantBudget: BudgetLimit(terms), access: access)
    }
}

extension BudgetLimit {
    fileprivate init(_ terms: Terms) {
        self.init(tokens: terms.tokenBudget, ticks: terms.usdTicksBudget)
    }
}

extension TenantShare {
    init(_ terms: Terms) {
        self.init(
            weight: terms.weight ?? 1, guaranteed: terms.guaranteedShare ?? 0,
            maximum: terms.maximumShare ?? 1)
    }
}

extension RateLimits {
    fileprivate init(_ limits: Terms.Limits?) {
        self.init(
            requestsPerMinute: limits?.requestsPerMinute,
            tokensPerMinute: limits?.tokensPerMinute,
            concurrentRequests: limits?.concurrentRequests)
    }
}
