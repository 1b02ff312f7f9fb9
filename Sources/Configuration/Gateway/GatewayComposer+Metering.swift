internal import Admission
internal import Gateway
internal import InferenceTypes
internal import Storage

extension GatewayComposer {
    /// What is metered in the data directory.
    mutating func metering() -> MeteringSettings {
        var metering = MeteringSettings()
        metering.intervalMilliseconds = values.requiredInteger(.usageMilliseconds)
        metering.queueLimit = values.requiredInteger(.usageQueue)
        metering.journalHours = values.requiredInteger(.journalHours)
        metering.leaseTokens = values.requiredInteger(.budgetLeaseTokens)
        for (index, text) in values.list(.price).enumerated() {
            guard let (key, price) = Self.price(text) else {
                problems.add(
                    values[.price]?.source(ofElement: index) ?? values.source(of: .price),
                    "price: expected MODEL=PROMPT/CACHED/COMPLETION in USD ticks a token, "
                        + "not \"\(text)\"")
                continue
            }
            metering.prices.prices[key] = price
        }
        for (index, text) in values.list(.budget).enumerated() {
            guard let (name, budget) = Self.budget(text) else {
                problems.add(
                    values[.budget]?.source(ofElement: index) ?? values.source(of: .budget),
                    "budget: expected NAME=TOKENS or NAME=TICKSticks, not \"\(text)\"")
                continue
            }
            metering.keyBudgets[name] = budget
        }
        return metering
    }

    private static func price(_ text: String) -> (PriceList.Key, UsagePrice)? {
        guard let equals = text.lastIndex(of: "=") else { return nil }
        let numbers = text[text.index(after: equals)...].split(
            separator: "/", omittingEmptySubsequences: false
        ).map { Int64($0) ?? -1 }
        // So that no request's cost overflows.
        let allowed: ClosedRange<Int64> = 0...1_000_000_000_000
        guard numbers.count == 3, numbers.allSatisfy(allowed.contains), equals > text.startIndex
        else { return nil }
        var key = PriceList.Key(model: String(text[..<equals]), tier: nil)
        if let colon = key.model.lastIndex(of: ":"),
            let tier = ServiceTier(name: key.model[key.model.index(after: colon)...])
        {
            key = PriceList.Key(model: String(key.model[..<colon]), tier: tier.name)
        }
        return (
            key,
            UsagePrice(prompt: numbers[0], cached: numbers[1], completion: numbers[2])
        )
    }

    private static func budget(_ text: String) -> (String, BudgetLimit)? {
        guard let equals = text.lastIndex(of: "=") else { return nil }
        let name = String(text[..<equals])
        var amount = text[text.index(after: equals)...]
        let isMoney = amount.hasSuffix("ticks")
        if isMoney { amount.removeLast("ticks".count) }
        guard let number = Int64(amount), number >= 0 else { return nil }
        return (name, isMoney ? BudgetLimit(ticks: number) : BudgetLimit(tokens: number))
    }
}
