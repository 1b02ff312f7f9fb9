import Admission
import InferenceAPI
import InferenceTypes
import Storage

/// What one run of a request is billed under, and which of its calls are not settled. Owned by the
/// generation, on its connection's loop.
struct RequestMeter {
    let usageID: String
    let account: UsageAccount
    private let meter: UsageMeter
    private var unsettled: [UsageAttempt] = []
    private(set) var tickets: [TicketID] = []
    /// Nil: its tokens cost nothing.
    private(set) var price: UsagePrice?

    /// - Parameter usageID: nil for a request that is run once only.
    init(_ meter: UsageMeter, usageID: String?, account: UsageAccount) {
        var generator = SystemRandomNumberGenerator()
        self.usageID = usageID ?? Identifier.request((generator.next(), generator.next()))
        self.account = account
        self.meter = meter
        meter.tell(.began(usageID: self.usageID))
    }

    /// Its model is known.
    mutating func prices(model: String, tier: ServiceTier) {
        price = meter.price(model: model, tier: tier.name)
    }

    func cost(of usage: Usage) -> Int64 {
        price?.ticks(
            prompt: usage.promptTokens, cached: usage.cachedTokens,
            generated: usage.completionTokens + usage.reasoningTokens) ?? 0
    }

    /// What choices of one prompt may cost, `[choice]`; empty where nobody has a budget.
    func claims(
        _ principal: Principal, promptTokens: Int, positionsMax: Int, choices: Int
    ) -> [BudgetClaim] {
        var payers: [BudgetClaim.Payer] = []
        if !principal.tenantBudget.isNone {
            payers.append(
                .init(
                    account: BudgetAccount(tenant: account.tenant),
                    limit: principal.tenantBudget))
        }
        let ofKey = meter.budget(of: principal)
        if !ofKey.isNone {
            payers.append(
                .init(
                    account: BudgetAccount(tenant: account.tenant, keyID: account.keyID),
                    limit: ofKey))
        }
        guard !payers.isEmpty else { return [] }
        return (0..<choices).map { choice in
            BudgetClaim(
                payers: payers, promptTokens: choice == 0 ? Int64(promptTokens) : 0,
                // What is cached is known afterwards; it may cost more or less.
                promptPrice: max(price?.prompt ?? 0, price?.cached ?? 0),
                completionPrice: price?.completion ?? 0, positionsMax: positionsMax)
        }
    }

    mutating func submitted(_ tickets: [TicketID]) {
        self.tickets += tickets
    }

    /// A call begins. `endpoint`: its worker's.
    mutating func attemptBegan(_ requestID: String, endpoint: String) {
        unsettled.append(UsageAttempt(requestID: requestID, endpoint: endpoint))
    }

    /// Its worker said how it ended, or never got it: it generated what was received.
    mutating func attemptSettled(_ requestID: String) {
        unsettled.removeAll { $0.requestID == requestID }
    }

    /// The run's end.
    ///
    /// - Parameters:
    ///   - positions: tokens accepted, of each choice.
    ///   - prompts: tokens of each.
    func ended(
        requestID: String, model: String, tier: ServiceTier, usage: Usage, positions: [Int],
        prompts: [Int], choicesPerPrompt: Int, undelivered: Int, finishReason: String
    ) {
        var entry = UsageEntry(
            usageID: usageID, requestID: requestID, timeMilliseconds: UnixClock.milliseconds(),
            tenant: account.tenant, keyID: account.keyID, model: model, tier: tier.name)
        entry.application = account.application
        entry.cachedTokens = usage.cachedTokens
        entry.reasoningTokens = usage.reasoningTokens
        entry.positions = positions
        entry.undeliveredTokens = undelivered
        entry.finishReason = finishReason
        entry.price = price
        meter.tell(
            .ended(
                UsageSettlement(
                    entry: entry, prompts: prompts, choicesPerPrompt: choicesPerPrompt,
                    unsettled: unsettled, tickets: tickets)))
    }
}

extension GenerationContext {
    var account: UsageAccount {
        let principal = caller.principal
        return UsageAccount(
            tenant: principal.tenantID, application: principal.application,
            keyID: principal.keyID)
    }
}
