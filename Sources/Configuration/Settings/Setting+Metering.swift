/// What use costs, who may use how much, and how it is written down.
extension Setting {
    static let price = Setting(
        "price", .text, isList: true, unset: "none",
        """
        What a model's tokens cost, MODEL=PROMPT/CACHED/COMPLETION or MODEL:TIER=…, in USD ticks \
        (10⁻¹⁰ USD) a token, which is cents per 100 million. CACHED is for prompt tokens that \
        were computed before. MODEL * stands for all others.
        """)
    static let budget = Setting(
        "budget", .text, isList: true, unset: "none",
        """
        What a key of --api-key-file may use in all, NAME=TOKENS or NAME=TICKSticks. Prompt and \
        completion count; an answer ends at the last token that can be paid for.
        """)
    static let budgetLeaseTokens = Setting(
        "budget-lease-tokens", .integer(1...1_000_000), default: .integer(1_024),
        "Tokens that a choice under a budget may generate before it asks for more.")
    static let usageMilliseconds = Setting(
        "usage-ms", .integer(10...60_000), default: .integer(200),
        "How often use is written to the ledger, in milliseconds.")
    static let usageQueue = Setting(
        "usage-queue", .integer(1...10_000_000), default: .integer(65_536),
        """
        Requests whose use is not in the ledger yet; when as many wait, new requests are \
        refused with 503.
        """)
    static let journalHours = Setting(
        "journal-hours", .integer(0...87_600), default: .integer(24),
        "How long journals of the supervised workers are kept that are in the ledger, in hours.")

    static let ofMetering: [Setting] = [
        price, budget, budgetLeaseTokens, usageMilliseconds, usageQueue, journalHours,
    ]
}
