package import InferenceTypes

/// `KvEventBatch`: what a worker tells those who subscribe to its KV events.
package struct EngineEventBatch: Sendable, Hashable {
    /// Of the last batch with cache events, this one included; such batches count up by one. A gap
    /// means that some were lost: what is known of the worker's cache is then worth nothing, until
    /// a snapshot comes.
    package var sequenceNumber: UInt64
    /// Seconds since 1970, of the engine's clock.
    package var timestamp: Double
    package var events: [EngineCacheEvent] = []
    /// The events are all that the cache holds, after a `cleared`.
    package var isSnapshot = false
    package var load: EngineLoad?
    /// Nil: the engine does not say.
    package var rank: Int?

    package init(sequenceNumber: UInt64, timestamp: Double) {
        self.sequenceNumber = sequenceNumber
        self.timestamp = timestamp
    }
}

/// One change of an engine's prefix cache.
package enum EngineCacheEvent: Sendable, Hashable {
    case stored(EngineStoredBlocks)
    /// These blocks are gone, by their hashes.
    case removed([UInt64])
    /// Nothing is left.
    case cleared
}

/// Consecutive blocks of one prompt that the cache has come to hold.
package struct EngineStoredBlocks: Sendable, Hashable {
    package struct Block: Sendable, Hashable {
        /// Of the block and all before it.
        package var hash: UInt64
        package var tokens: [TokenID]

        package init(hash: UInt64, tokens: [TokenID]) {
            self.hash = hash
            self.tokens = tokens
        }
    }

    package var blocks: [Block]
    /// Tokens per block.
    package var blockTokens: Int
    /// The block before the first one; nil at a prompt's beginning.
    package var parent: UInt64?
    /// What the hashes were salted with, as the request said it (`switchyard-prefix-salt`); nil
    /// when it said nothing.
    package var salt: String?

    package init(blocks: [Block], blockTokens: Int, parent: UInt64?, salt: String?) {
        self.blocks = blocks
        self.blockTokens = blockTokens
        self.parent = parent
        self.salt = salt
    }
}
