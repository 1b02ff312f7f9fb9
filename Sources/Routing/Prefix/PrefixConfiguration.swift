/// How prompts are cut into blocks and how much is remembered of them.
package struct PrefixConfiguration: Hashable, Sendable {
    /// Tokens per block; what is shared beyond the last whole block is not seen.
    package var blockTokens: Int
    /// Blocks of one prompt that are remembered; longer prompts are known by their beginning.
    /// Bounds the time of one placement.
    package var blockLimit: Int
    /// Blocks remembered in all, 28 bytes each, allocated at the start; what was placed longest
    /// ago gives way.
    package var capacityEntries: Int

    package init(blockTokens: Int = 64, blockLimit: Int = 1_024, capacityEntries: Int = 65_536) {
        precondition(blockTokens >= 1, "blockTokens: \(blockTokens)")
        precondition(blockLimit >= 1, "blockLimit: \(blockLimit)")
        precondition(capacityEntries >= 1, "capacityEntries: \(capacityEntries)")
        self.blockTokens = blockTokens
        self.blockLimit = blockLimit
        self.capacityEntries = capacityEntries
    }
}
