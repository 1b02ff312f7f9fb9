package import InferenceTypes

/// What somebody may use in all. Nil: no limit.
package struct BudgetLimit: Hashable, Sendable {
    /// Prompt and everything generated.
    package var tokens: Int64?
    /// USD ticks (10⁻¹⁰ USD), at the prices in force.
    package var ticks: Int64?

    package static let none = BudgetLimit()

    package init(tokens: Int64? = nil, ticks: Int64? = nil) {
        self.tokens = tokens
        self.ticks = ticks
    }

    package var isNone: Bool { tokens == nil && ticks == nil }
}

/// Whose budget it is, by the names that are kept on disk.
package struct BudgetAccount: Hashable, Sendable {
    package var tenant: String
    /// Nil: of the tenant as a whole.
    package var keyID: String?

    package init(tenant: String, keyID: String? = nil) {
        self.tenant = tenant
        self.keyID = keyID
    }
}

/// What a choice may cost at most, and who pays.
package struct BudgetClaim: Hashable, Sendable {
    package struct Payer: Hashable, Sendable {
        package var account: BudgetAccount
        package var limit: BudgetLimit

        package init(account: BudgetAccount, limit: BudgetLimit) {
            self.account = account
            self.limit = limit
        }
    }

    /// All of them pay; at most two (tenant, key).
    package var payers: [Payer]
    /// Of the prompt, by the first of the choices that share it.
    package var promptTokens: Int64
    /// Ticks a token; 0 without a price.
    package var promptPrice: Int64
    package var completionPrice: Int64
    /// Most tokens that the choice would generate.
    package var positionsMax: Int

    package init(
        payers: [Payer], promptTokens: Int64, promptPrice: Int64 = 0, completionPrice: Int64 = 0,
        positionsMax: Int
    ) {
        self.payers = payers
        self.promptTokens = promptTokens
        self.promptPrice = promptPrice
        self.completionPrice = completionPrice
        self.positionsMax = positionsMax
    }

    fileprivate func tokens(positions: Int) -> Int64 { promptTokens + Int64(positions) }

    fileprivate func ticks(positions: Int) -> Int64 {
        promptTokens * promptPrice + Int64(positions) * completionPrice
    }
}

/// Budgets that several streams draw on at once. A choice holds a lease: what its prompt and its
/// tokens up to a position cost is taken from its payers' budgets before a worker may generate
/// them, and given back when the ledger says what was used. So the sum of what is spent and what is
/// leased is never more than the budget, and no worker generates a token that cannot be paid.
///
/// Pure; owned by the dispatchers' loop. Amounts are bounded by settings, so that sums fit.
package struct BudgetBook: Sendable {
    private struct Balance {
        /// As the ledger has it.
        var spent = Amount()
        var leased = Amount()
    }

    private struct Amount: Hashable {
        var tokens: Int64 = 0
        var ticks: Int64 = 0
    }

    private struct Lease {
        var claim: BudgetClaim
        /// The worker stops there.
        var end: Int
    }

    private let leaseTokens: Int
    private var balances: [BudgetAccount: Balance] = [:]
    private var leases: [TicketID: Lease] = [:]

    /// - Parameter leaseTokens: how far a lease goes ahead of its stream; at least 1.
    package init(leaseTokens: Int) {
        precondition(leaseTokens >= 1, "a lease of \(leaseTokens) tokens")
        self.leaseTokens = leaseTokens
    }

    // MARK: Requests

    /// A request comes: each of its choices gets its first token's lease. False, and none has one,
    /// when not all can be paid.
    package mutating func open(_ claims: [(ticket: TicketID, claim: BudgetClaim)]) -> Bool {
        for (index, entry) in claims.enumerated() {
            precondition(leases[entry.ticket] == nil, "a ticket leases twice")
            // What generates nothing only has a prompt.
            let first = min(1, entry.claim.positionsMax)
            guard affordable(entry.claim, from: nil) >= first else {
                for earlier in claims[..<index] { close(earlier.ticket) }
                return false
            }
            leases[entry.ticket] = Lease(claim: entry.claim, end: first)
            add(entry.claim, from: nil, to: first)
        }
        return true
    }

    /// A choice that has `positions` tokens gets a worker: how far that may go, in positions. Nil:
    /// it cannot go on. `Int.max` for a choice without a budget.
    package mutating func lease(_ ticket: TicketID, positions: Int) -> Int? {
        guard let lease = leases[ticket], lease.claim.positionsMax > 0 else { return .max }
        // A call that was lost has left most of its lease.
        let wanted = min(lease.claim.positionsMax, positions + leaseTokens)
        if wanted > lease.end {
            let end = min(wanted, lease.end + affordable(lease.claim, from: lease.end))
            add(lease.claim, from: lease.end, to: end)
            leases[ticket]?.end = end
        }
        let end = leases[ticket]?.end ?? 0
        return end > positions ? end : nil
    }

    /// The ledger has what the choice used: see `spent`.
    package mutating func close(_ ticket: TicketID) {
        guard let lease = leases.removeValue(forKey: ticket) else { return }
        for payer in lease.claim.payers {
            balances[payer.account]?.leased.tokens -= lease.claim.tokens(positions: lease.end)
            balances[payer.account]?.leased.ticks -= lease.claim.ticks(positions: lease.end)
        }
    }

    // MARK: The ledger

    /// A row of the ledger, or what it had when this process began.
    package mutating func spent(tenant: String, keyID: String, tokens: Int64, ticks: Int64) {
        for account in [
            BudgetAccount(tenant: tenant), BudgetAccount(tenant: tenant, keyID: keyID),
        ] {
            balances[account, default: Balance()].spent.tokens += tokens
            balances[account, default: Balance()].spent.ticks += ticks
        }
    }

    // MARK: What is asked

    /// Spent and leased; for tests and reports.
    package func used(_ account: BudgetAccount) -> (spent: BudgetLimit, leased: BudgetLimit) {
        let balance = balances[account] ?? Balance()
        return (
            BudgetLimit(tokens: balance.spent.tokens, ticks: balance.spent.ticks),
            BudgetLimit(tokens: balance.leased.tokens, ticks: balance.leased.ticks)
        )
    }

    /// Choices that hold a lease.
    package var leaseCount: Int { leases.count }

    // MARK: Private

    /// Tokens behind `end` that all payers can pay; nil: from the prompt on.
    private func affordable(_ claim: BudgetClaim, from end: Int?) -> Int {
        var tokens = Int64(Int32.max)
        for payer in claim.payers {
            let balance = balances[payer.account] ?? Balance()
            if let limit = payer.limit.tokens {
                var left = limit - balance.spent.tokens - balance.leased.tokens
                if end == nil { left -= claim.promptTokens }
                tokens = min(tokens, left)
            }
            if let limit = payer.limit.ticks {
                var left = limit - balance.spent.ticks - balance.leased.ticks
                if end == nil { left -= claim.promptTokens * claim.promptPrice }
                if claim.completionPrice > 0 {
                    tokens = min(tokens, left < 0 ? 0 : left / claim.completionPrice)
                } else if left < 0 {
                    tokens = 0
                }
            }
        }
        return Int(max(0, tokens))
    }

    private mutating func add(_ claim: BudgetClaim, from start: Int?, to end: Int) {
        let tokens = claim.tokens(positions: end) - (start.map(claim.tokens) ?? 0)
        let ticks = claim.ticks(positions: end) - (start.map(claim.ticks) ?? 0)
        for payer in claim.payers {
            balances[payer.account, default: Balance()].leased.tokens += tokens
            balances[payer.account, default: Balance()].leased.ticks += ticks
        }
    }
}
