package import Admission
package import Storage

/// How use is metered.
package struct MeteringSettings: Hashable, Sendable {
    /// How often the ledger is written, in milliseconds.
    package var intervalMilliseconds = 200
    /// Ended requests that wait for the ledger; with more, new requests are refused (503).
    package var queueLimit = 65_536
    /// How long workers' journals are kept after they were read, in hours.
    package var journalHours = 24
    /// Tokens that a choice with a budget may generate before it must ask for more.
    package var leaseTokens = 1_024
    package var prices = PriceList()
    /// Of keys of `apiKeyFile`, by name.
    package var keyBudgets: [String: BudgetLimit] = [:]

    package init() {}
}

/// What tokens cost, by model and tier. Without a price of its own a tier has its model's.
package struct PriceList: Hashable, Sendable {
    package struct Key: Hashable, Sendable {
        package var model: String
        /// As `ServiceTier` names it; nil: of all tiers without one.
        package var tier: String?

        package init(model: String, tier: String?) {
            self.model = model
            self.tier = tier
        }
    }

    package var prices: [Key: UsagePrice] = [:]

    package init() {}

    func price(model: String, tier: String) -> UsagePrice? {
        for name in [model, "*"] {
            let found = prices[Key(model: name, tier: tier)] ?? prices[Key(model: name, tier: nil)]
            if let found { return found }
        }
        return nil
    }
}
