import InferenceTypes

/// Making room: idle prefixes go first, then running requests wait.
extension Scheduler {
    /// Drops idle prefixes, least recently used first, from the end as far as needed, until so many
    /// cells are free. The caller has made sure that they can be.
    mutating func reclaim(_ cells: Int) {
        while cache.freeCells < cells {
            guard let victim = cache.leastRecentlyUsed() else {
                preconditionFailure("\(cells) cells are not to be had: \(cache.freeCells) free")
            }
            trim(victim, by: cells - cache.freeCells)
        }
    }

    /// Drops idle prefixes in the same order until those left do not slow the decodes of a step
    /// more than `idlePairsMax` allows.
    mutating func limitIdle(decodes: Int) {
        guard let pairs = configuration.idlePairsMax, decodes > 0 else { return }
        let limit = pairs / decodes
        while cache.idleCells > limit, let victim = cache.leastRecentlyUsed() {
            trim(victim, by: cache.idleCells - limit)
        }
    }

    /// Cuts at least so many cells off an idle prefix where it has them for itself; drops it
    /// otherwise.
    private mutating func trim(_ victim: SequenceID, by cells: Int) {
        let trimmed = max(cells, Self.trimTokensMin)
        guard engine.supportsPartialRemoval, cache.exclusiveTail(victim) > trimmed else {
            return evict(victim)
        }
        let length = cache.length(victim) - trimmed
        cache.truncate(victim, to: length)
        cacheOperations.append(.truncate(victim, length: length))
    }

    /// Fewer tokens are not cut off an idle prefix at a time: each cut is a call into the engine.
    private static var trimTokensMin: Int { 64 }

    /// Drops an idle prefix.
    mutating func evict(_ sequence: SequenceID) {
        counters.evictions += 1
        clear(sequence)
    }

    /// Takes slot and cells from a running request. Its tokens are kept; later the missing part of
    /// its cache is computed again, and nothing is emitted twice.
    mutating func preempt(_ index: Int) {
        precondition(!self[index].isInFlight, "preempted in flight")
        releaseSlot(index)
        self[index].isSpared = true
        self[index].timing.preemptions += 1
        lastVictimSerial = self[index].serial
        counters.preemptions += 1
        pendingEvents.append(.preempted(key: self[index].key))
        if self[index].isPaused { park(index) } else { enqueue(index) }
    }

    /// The newest of the lowest tier among running requests whose reader is slow.
    func slowest() -> Int? {
        var best: Int?
        for index in slots where index >= 0 && self[index].isPaused {
            guard let known = best, yieldsBefore(known, index) else {
                best = index
                continue
            }
        }
        return best
    }

    /// Whom to preempt: slow readers, then the newest of the lowest tier; but of a tier not one
    /// that made no progress since it was preempted last, nor the last victim, while there is
    /// another.
    func victim() -> Int? {
        var best: Int?
        for index in slots where index >= 0 {
            guard let known = best, yieldsBefore(known, index) else {
                best = index
                continue
            }
        }
        return best
    }

    /// Who gives slot and cells to a waiting request of a better tier: as `victim`, but only of
    /// tiers that have more slots than must be left to them.
    func victim(for waiting: Int) -> Int? {
        var best: Int?
        for index in slots where index >= 0 {
            let tier = self[index].tier
            guard tier > self[waiting].tier, tiers.canYieldSlot(tier) else { continue }
            guard let known = best, yieldsBefore(known, index) else {
                best = index
                continue
            }
        }
        return best
    }

    private func yieldsBefore(_ left: Int, _ right: Int) -> Bool {
        if self[left].isPaused != self[right].isPaused { return self[left].isPaused }
        if self[left].tier != self[right].tier { return self[left].tier > self[right].tier }
        let (leftRank, rightRank) = (yieldRank(left), yieldRank(right))
        if leftRank != rightRank { return leftRank > rightRank }
        return self[left].serial > self[right].serial
    }

    private func yieldRank(_ index: Int) -> Int {
        if self[index].isSpared { return 0 }
        return self[index].serial == lastVictimSerial ? 1 : 2
    }
}
