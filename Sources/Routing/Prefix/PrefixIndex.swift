package import InferenceTypes

/// Which workers probably hold the KV of which prompt prefixes: filled when prompts are placed,
/// corrected by what workers report. A prediction, never a promise. Its size is fixed; what was
/// placed longest ago gives way (`AssociativeTable`). Owned by `Fleet`.
///
/// Entries name holders by numbers of the index's own. A worker that loses its cache or leaves gets
/// another number or none, so that nothing has to be searched for its entries: they mean nobody,
/// and age out.
package struct PrefixIndex: Sendable {
    private var table: AssociativeTable<PrefixHolders>
    /// Looked up only, never iterated.
    private var numbers: [WorkerID: UInt32] = [:]
    private var workers: [UInt32: WorkerID] = [:]
    private var lastNumber: UInt32 = 0

    package init(capacityEntries: Int) {
        table = AssociativeTable(capacityEntries: capacityEntries, empty: PrefixHolders())
    }

    package var count: Int { table.count }
    package var capacity: Int { table.capacity }
    /// Of the table; the workers' numbers take some 40 bytes a worker besides.
    package var bytes: Int { table.bytes }
    var workerCapacity: Int { numbers.capacity + workers.capacity }
    /// Prefixes given up for others since the start.
    package var replacements: UInt64 { table.replacements }

    // MARK: Filling

    /// The worker will hold all these prefixes, and was their last.
    package mutating func insert(_ blocks: PromptBlocks, on worker: WorkerID) {
        guard !blocks.hashes.isEmpty else { return }
        table.tick()
        let number = number(of: worker)
        for hash in blocks.hashes {
            let entry = table.insert(hash)
            if table[entry].isFull, !table[entry].contains(number) { dropTheGone(entry) }
            table[entry].promote(number)
        }
    }

    /// A number that means nobody any more gives way before a holder does.
    private mutating func dropTheGone(_ entry: Int) {
        let holders = table[entry].numbers
        for place in 0..<PrefixHolders.limit where !isHolder(holders[place]) {
            table[entry].remove(holders[place])
        }
    }

    /// The worker reports that it no longer has the prefix that ends with this block.
    package mutating func remove(_ hash: UInt64, on worker: WorkerID) {
        guard let number = numbers[worker], let entry = table.find(hash) else { return }
        table[entry].remove(number)
        if table[entry].isEmpty { table.remove(at: entry) }
    }

    /// The worker reports that its cache is empty, or has left for good.
    package mutating func clear(_ worker: WorkerID) {
        guard let number = numbers.removeValue(forKey: worker) else { return }
        workers[number] = nil
    }

    private mutating func number(of worker: WorkerID) -> UInt32 {
        if let number = numbers[worker] { return number }
        lastNumber += 1
        numbers[worker] = lastNumber
        workers[lastNumber] = worker
        return lastNumber
    }

    // MARK: Looking up

    /// The deepest known prefix, in blocks, and who holds it, most recent first. (0, []) when not
    /// even the first block is known.
    package func lookup(_ blocks: PromptBlocks) -> (blocks: Int, holders: [WorkerID]) {
        let (depth, entry) = deepest(blocks)
        var found: [WorkerID] = []
        forEachHolder(of: entry) { found.append($0) }
        return (depth, found)
    }

    /// By halves, since a prefix is touched whenever one that extends it is: it is younger. Where
    /// replacement left a hole all the same, a shorter known prefix may be found.
    func deepest(_ blocks: PromptBlocks) -> (blocks: Int, entry: Int?) {
        var (low, high) = (0, blocks.hashes.count)
        var best: Int?
        while low < high {
            let middle = (low + high + 1) / 2
            if let entry = table.find(blocks.hashes[middle - 1]), hasHolder(entry) {
                (low, best) = (middle, entry)
            } else {
                high = middle - 1
            }
        }
        return (low, best)
    }

    /// How many leading blocks this worker is known to hold; finds at least what `deepest` finds
    /// when the worker is among its holders, and may miss some of what the busiest prefixes'
    /// short lists of holders have forgotten.
    package func blocksHeld(of blocks: PromptBlocks, by worker: WorkerID) -> Int {
        guard let number = numbers[worker] else { return 0 }
        var (low, high) = (0, blocks.hashes.count)
        while low < high {
            let middle = (low + high + 1) / 2
            if let entry = table.find(blocks.hashes[middle - 1]), table[entry].contains(number) {
                low = middle
            } else {
                high = middle - 1
            }
        }
        return low
    }

    func forEachHolder(of entry: Int?, _ body: (WorkerID) -> Void) {
        guard let entry else { return }
        let holders = table[entry].numbers
        for place in 0..<PrefixHolders.limit {
            if let worker = workers[holders[place]] { body(worker) }
        }
    }

    private func hasHolder(_ entry: Int) -> Bool {
        let holders = table[entry].numbers
        return isHolder(holders.x) || isHolder(holders.y) || isHolder(holders.z)
            || isHolder(holders.w)
    }

    private func isHolder(_ number: UInt32) -> Bool {
        number != 0 && workers.keys.contains(number)
    }

    /// Traps when the table or the numbering is inconsistent. Reads every entry.
    package func checkInvariants() {
        table.checkInvariants()
        precondition(numbers.count == workers.count, "numbers and workers differ")
        precondition(numbers.allSatisfy { workers[$0.value] == $0.key }, "a number is not mutual")
    }
}
