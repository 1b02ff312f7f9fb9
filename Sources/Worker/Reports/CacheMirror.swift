import EngineProtocol
import InferenceTypes
import Routing
import Scheduling

/// What the KV cache holds, in blocks: follows the engine's sequences by what each step did to
/// them, and says which blocks came and went. A block is there while any sequence has it.
///
/// Hashes are made as gateways make them (`PromptBlocks`), with the salt that came with the request
/// whose tokens they are. Owned by `EventReporter`.
struct CacheMirror {
    private struct Sequence {
        /// False: it has tokens that were computed before anybody listened.
        var isKnown = false
        var tokens: [TokenID] = []
        var salt: UInt64?
        /// Of the whole blocks of `tokens`.
        var hashes: [UInt64] = []
    }

    private struct Block {
        var sequences: Int
        var stored: EngineStoredBlocks
    }

    let blockTokens: Int
    /// By sequence number; at most `EngineProperties.maxSequences`.
    private var sequences: [Sequence] = []
    /// Looked up; iterated only to make a snapshot, whose order means nothing but that parents
    /// precede.
    private var blocks: [UInt64: Block] = [:]
    private var events: [EngineCacheEvent] = []

    init(blockTokens: Int) {
        precondition(blockTokens >= 1, "blockTokens: \(blockTokens)")
        self.blockTokens = blockTokens
    }

    var blockCount: Int { blocks.count }

    /// Everything is unknown again.
    mutating func forget() {
        sequences.removeAll()
        blocks.removeAll()
        events.removeAll()
    }

    /// Follows one step.
    mutating func apply(_ change: CacheChange) {
        for operation in change.operations {
            switch operation {
            case .copy(let from, let to, let length): copy(from, to, length)
            case .truncate(let sequence, let length): truncate(at(sequence), to: length)
            case .clear(let sequence):
                let index = at(sequence)
                truncate(index, to: 0)
                sequences[index].isKnown = true
            }
        }
        var first = 0
        for growth in change.entries {
            grow(growth, change.tokens[first..<(first + growth.tokenCount)])
            first += growth.tokenCount
        }
    }

    /// What happened since the last call, in order.
    mutating func takeEvents() -> [EngineCacheEvent] {
        defer { events.removeAll() }
        return events
    }

    /// `cleared`, and everything that is there.
    func snapshot() -> [EngineCacheEvent] {
        var all: [EngineCacheEvent] = [.cleared]
        var seen: Set<UInt64> = []
        for sequence in sequences {
            // Blocks of a sequence stand in order, so parents come first.
            for hash in sequence.hashes where seen.insert(hash).inserted {
                guard let block = blocks[hash] else { continue }
                Self.append(block.stored, to: &all)
            }
        }
        return all
    }

    // MARK: Sequences

    private mutating func at(_ sequence: SequenceID) -> Int {
        let index = Int(sequence)
        while sequences.count <= index { sequences.append(Sequence()) }
        return index
    }

    private mutating func copy(_ from: SequenceID, _ to: SequenceID, _ length: Int) {
        let (source, target) = (at(from), at(to))
        truncate(target, to: 0)
        guard sequences[source].isKnown, sequences[source].tokens.count >= length else {
            sequences[target].isKnown = false
            return
        }
        sequences[target].isKnown = true
        sequences[target].tokens = Array(sequences[source].tokens[..<length])
        sequences[target].salt = sequences[source].salt
        hashNewBlocks(target)
    }

    private mutating func truncate(_ index: Int, to length: Int) {
        guard sequences[index].tokens.count > length else { return }
        sequences[index].tokens.removeLast(sequences[index].tokens.count - length)
        drop(index, beyond: length / blockTokens)
    }

    private mutating func grow(_ growth: CacheChange.Growth, _ tokens: ArraySlice<TokenID>) {
        let index = at(growth.sequence)
        if growth.position == 0 {
            truncate(index, to: 0)
            sequences[index].isKnown = true
        }
        guard sequences[index].isKnown else { return }
        guard sequences[index].tokens.count == growth.position else {
            // Something was missed: nothing is claimed of it until it begins anew.
            truncate(index, to: 0)
            sequences[index].isKnown = false
            return
        }
        if sequences[index].salt != growth.salt {
            // The next request's tenant is another one; so are the names of the same blocks.
            drop(index, beyond: 0)
            sequences[index].salt = growth.salt
        }
        sequences[index].tokens += tokens
        hashNewBlocks(index)
    }

    // MARK: Blocks

    private mutating func hashNewBlocks(_ index: Int) {
        let whole = sequences[index].tokens.count / blockTokens
        while sequences[index].hashes.count < whole {
            let number = sequences[index].hashes.count
            let parent = sequences[index].hashes.last
            let hash = PromptBlocks.hash(
                ofBlock: number, of: sequences[index].tokens, after: parent,
                salt: sequences[index].salt ?? 0, blockTokens: blockTokens)
            sequences[index].hashes.append(hash)
            add(hash, number, parent, index)
        }
    }

    private mutating func add(_ hash: UInt64, _ number: Int, _ parent: UInt64?, _ index: Int) {
        if blocks[hash] != nil {
            blocks[hash]?.sequences += 1
            return
        }
        let first = number * blockTokens
        let stored = EngineStoredBlocks(
            blocks: [
                .init(
                    hash: hash,
                    tokens: Array(sequences[index].tokens[first..<(first + blockTokens)]))
            ],
            blockTokens: blockTokens, parent: parent,
            salt: sequences[index].salt.map { String($0) })
        blocks[hash] = Block(sequences: 1, stored: stored)
        Self.append(stored, to: &events)
    }

    private mutating func drop(_ index: Int, beyond kept: Int) {
        var removed: [UInt64] = []
        while sequences[index].hashes.count > kept {
            let hash = sequences[index].hashes.removeLast()
            blocks[hash]?.sequences -= 1
            guard blocks[hash]?.sequences == 0 else { continue }
            blocks[hash] = nil
            removed.append(hash)
        }
        if !removed.isEmpty { events.append(.removed(removed)) }
    }

    /// Joins a block to the run that it continues.
    private static func append(_ stored: EngineStoredBlocks, to events: inout [EngineCacheEvent]) {
        if case .stored(var run) = events.last, run.salt == stored.salt,
            run.blocks.last?.hash == stored.parent
        {
            run.blocks += stored.blocks
            events[events.count - 1] = .stored(run)
        } else {
            events.append(.stored(stored))
        }
    }

    /// Each block is held by as many sequences as are counted. Traps otherwise.
    func checkInvariants() {
        var held: [UInt64: Int] = [:]
        for sequence in sequences {
            precondition(
                sequence.hashes.count == sequence.tokens.count / blockTokens, "blocks not hashed")
            for hash in sequence.hashes { held[hash, default: 0] += 1 }
        }
        precondition(held == blocks.mapValues(\.sequences), "blocks miscounted")
    }
}
