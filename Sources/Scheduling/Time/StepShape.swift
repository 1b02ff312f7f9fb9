/// What a step consists of, as far as its duration depends on it.
package struct StepShape: Hashable, Sendable {
    /// Entries of one token that continue a sequence.
    package var decodes = 0
    /// Tokens of all other entries.
    package var prefillTokens = 0
    /// KV tokens read: the length of every entry's sequence after the step.
    package var cacheTokens = 0
    /// Query-key pairs of prefill: the sum over chunks of c tokens after p of c * (p + c/2),
    /// rounded up.
    package var prefillPairs = 0

    package init() {}

    package init(decodes: Int, prefillTokens: Int, cacheTokens: Int, prefillPairs: Int) {
        self.decodes = decodes
        self.prefillTokens = prefillTokens
        self.cacheTokens = cacheTokens
        self.prefillPairs = prefillPairs
    }

    /// Tokens in the batch.
    package var tokens: Int { decodes + prefillTokens }

    /// Adds a decode of a sequence that holds `past` tokens.
    package mutating func addDecode(past: Int) {
        decodes += 1
        cacheTokens += past + 1
    }

    /// Adds a chunk of `count` tokens to a sequence that holds `past` tokens.
    package mutating func addPrefill(count: Int, past: Int) {
        prefillTokens += count
        cacheTokens += past + count
        prefillPairs += Self.pairs(count: count, past: past)
    }

    package static func pairs(count: Int, past: Int) -> Int {
        count * past + (count * count + 1) / 2
    }
}
