package import InferenceTypes

/// A prompt as the prefix index sees it: one hash per whole block of tokens, each over its block
/// and all blocks before it, so that equal hashes mean equal prefixes (but for collisions of 64
/// bits, which cost a wrong prediction and nothing else).
///
/// A pure function of (tokens, salt, configuration), made once per request on any thread.
package struct PromptBlocks: Hashable, Sendable {
    /// In order from the prompt's beginning; never 0. At most `blockLimit` of the configuration.
    package let hashes: [UInt64]

    /// - Parameter salt: Of the tenant, the model and the adapter (`salt(of:secret:)`): prompts
    ///   that differ in any of these share no cache, and no tenant learns of another's prompts
    ///   from the time that its own take.
    package init(_ tokens: [TokenID], salt: UInt64, configuration: PrefixConfiguration) {
        let length = configuration.blockTokens
        let count = min(tokens.count / length, configuration.blockLimit)
        var hashes: [UInt64] = []
        hashes.reserveCapacity(count)
        var state = SeededGenerator.mix(salt)
        for block in 0..<count {
            state = Self.hash(tokens, block * length, length, after: state)
            hashes.append(state)
        }
        self.hashes = hashes
    }

    /// The empty prompt: nothing is known of it.
    package static let none = PromptBlocks(hashes: [])

    package init(hashes: [UInt64]) {
        assert(!hashes.contains(0), "hash 0 is reserved")
        self.hashes = hashes
    }

    /// A salt for a list of names. `secret` is drawn once per process or configured, the same for
    /// gateways that exchange hashes; without it nobody can make prompts that collide.
    package static func salt(of names: [String], secret: UInt64) -> UInt64 {
        var state = SeededGenerator.mix(secret)
        for name in names {
            var word: UInt64 = 0
            var bytes = 0
            for byte in name.utf8 {
                word = word << 8 | UInt64(byte)
                bytes += 1
                if bytes % 8 == 0 { (state, word) = (fold(state ^ word), 0) }
            }
            // The length keeps ["ab", "c"] apart from ["a", "bc"].
            state = fold(state ^ word) ^ SeededGenerator.mix(UInt64(bytes))
        }
        return SeededGenerator.mix(state)
    }

    /// The hash of one block, for who sees a prompt grow: `after` is that of the block before, nil
    /// for the first. The same as in a `PromptBlocks` of the whole prompt.
    package static func hash(
        ofBlock block: Int, of tokens: [TokenID], after previous: UInt64?, salt: UInt64,
        blockTokens: Int
    ) -> UInt64 {
        hash(
            tokens, block * blockTokens, blockTokens,
            after: previous ?? SeededGenerator.mix(salt))
    }

    /// Two tokens a multiplication; the finaliser spreads the result over all bits.
    private static func hash(
        _ tokens: [TokenID], _ first: Int, _ length: Int, after previous: UInt64
    ) -> UInt64 {
        var state = previous
        var index = first
        let end = first + length
        while index + 1 < end {
            let low = UInt64(UInt32(bitPattern: tokens[index]))
            let high = UInt64(UInt32(bitPattern: tokens[index + 1]))
            state = fold(state ^ (high << 32 | low))
            index += 2
        }
        if index < end { state = fold(state ^ UInt64(UInt32(bitPattern: tokens[index]))) }
        let hash = SeededGenerator.mix(state)
        return hash == 0 ? 1 : hash
    }

    /// Both halves of the 128-bit product with an odd constant (the fraction of the golden ratio).
    private static func fold(_ value: UInt64) -> UInt64 {
        let product = value.multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        return product.low ^ product.high
    }
}
