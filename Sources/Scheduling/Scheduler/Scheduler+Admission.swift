import InferenceTypes

extension Scheduler {
    /// Gives slots to waiting requests in the order of tier, tenant and what is due first. Nobody
    /// of the same tier or a worse one overtakes a head that does not fit, so that large requests
    /// do not starve.
    mutating func admit(now: Instant) {
        var blocked: ServiceTier?
        while let head = nextWaiting(betterThan: blocked) {
            if let slot = slots.firstIndex(of: -1) {
                let prefix = resident(head)
                if fits(head, prefix) {
                    dequeue(head)
                    start(head, slot: slot, prefix: prefix, now: now)
                    continue
                }
            }
            // A slow reader's slot and cells go first to those who can use them.
            if let slow = slowest() {
                preempt(slow)
            } else if let victim = victim(for: head),
                fits(head, resident(head), without: self[head].tier)
            {
                counters.yieldedSlots += 1
                preempt(victim)
            } else {
                blocked = self[head].tier
            }
        }
    }

    /// Who is next: a tier without the slots that it is entitled to, or else the best tier.
    private func nextWaiting(betterThan blocked: ServiceTier?) -> Int? {
        guard queue.count > 0 else { return nil }
        var best: ServiceTier?
        for tier in ServiceTier.allCases where !queue.isEmpty(tier) {
            guard blocked.map({ tier < $0 }) ?? true else { break }
            best = best ?? tier
            guard tiers.isOwedSlot(tier) else { continue }
            return queue.first(tier, tenants)?.index
        }
        return best.flatMap { queue.first($0, tenants)?.index }
    }

    /// What of a request's tokens need not be computed.
    struct ResidentPrefix {
        var match: SequenceCache.Match
        var leader: ScheduledRequest.Leader?
    }

    func resident(_ index: Int) -> ResidentPrefix {
        var match = SequenceCache.Match(length: 0, node: SequenceCache.root)
        guard reusesPrefixes else { return ResidentPrefix(match: match) }
        // The last token is computed in any case: its logits are needed.
        let limit = self[index].tokens.count - 1
        let best = cache.longestPrefix(
            of: self[index].tokens, limit: limit, tenant: self[index].tenantName)
        if best.length >= configuration.prefixTokensMin { match = best }
        return ResidentPrefix(match: match, leader: leader(for: index, matched: match.length))
    }

    /// The running request whose prefill will produce the longest prefix of another's tokens, if
    /// that saves enough; the oldest between equals.
    private func leader(for index: Int, matched: Int) -> ScheduledRequest.Leader? {
        var best: ScheduledRequest.Leader?
        var least = matched + configuration.sharedPrefillTokensMin
        guard self[index].tokens.count > least else { return nil }
        for other in slots where other >= 0 && other != index {
            // Nobody waits for, or shares, what another tenant's prompt begins with.
            guard self[other].tenantName == self[index].tenantName else { continue }
            guard self[other].tokens.count >= least, !self[other].isDecoding,
                !self[other].isPaused, !self[other].isCancelled, self[other].leader == nil
            else { continue }
            // Unequal where it would start to be worth it: the cheap and common case.
            guard self[other].tokens[least - 1] == self[index].tokens[least - 1] else { continue }
            let length = commonPrefix(
                self[other].tokens, self[index].tokens, limit: self[index].tokens.count - 1)
            let isOlder = best.map { self[other].serial < $0.serial } ?? true
            guard length > least || (length == least && isOlder) else { continue }
            least = length
            best = .init(index: other, serial: self[other].serial, length: length)
        }
        return best
    }

    private func commonPrefix(_ left: [TokenID], _ right: [TokenID], limit: Int) -> Int {
        let count = min(left.count, right.count, limit)
        let (left, right) = (left.span, right.span)
        var length = 0
        while length < count, left[length] == right[length] { length += 1 }
        return length
    }

    /// Whether the cells suffice for a request's uncached tokens and its output reserve, on top of
    /// what running requests hold and have reserved; without those of tiers worse than `tier`,
    /// about.
    private func fits(
        _ index: Int, _ prefix: ResidentPrefix, without tier: ServiceTier = .batch
    ) -> Bool {
        var committed = cache.activeCells
        var isAlone = true
        let block = configuration.outputReserveTokens
        for other in slots where other >= 0 {
            guard self[other].tier <= tier else {
                committed -= self[other].computed
                continue
            }
            isAlone = false
            let reserved = self[other].reservedCells(block: block, limit: requestTokensMax)
            let shared = max(self[other].computed, self[other].leader?.length ?? 0)
            committed += max(0, reserved - shared)
        }
        if isAlone { return true }
        let most = self[index].tokensMax(limit: requestTokensMax)
        let reserved = min(self[index].tokens.count + block, most)
        let shared = max(prefix.match.length, prefix.leader?.length ?? 0)
        return committed + cache.idleCells(in: prefix.match) + reserved - shared
            <= cache.totalCells
    }

    private mutating func start(
        _ index: Int, slot: Int, prefix: ResidentPrefix, now: Instant
    ) {
        let isFirst = self[index].timing.admitted == nil
        let length = prefix.match.length
        let sequence = sequence(holding: prefix.match, of: self[index].tokens.count)
        cache.assign(sequence, to: self[index].tenantName)
        slots[slot] = index
        tiers.gotSlot(self[index].tier)
        self[index].phase = .running
        self[index].slot = slot
        self[index].sequence = sequence
        self[index].computed = length
        self[index].leader = prefix.leader
        self[index].admittedCount = self[index].tokens.count
        chargeAdvance(index)
        counters.prefixQueryTokens += UInt64(self[index].tokens.count)
        counters.prefixHitTokens += UInt64(length)
        if isFirst {
            self[index].timing.admitted = now
            self[index].cachedTokens = min(length, self[index].promptCount)
        }
        pendingEvents.append(
            .started(
                key: self[index].key, cachedTokens: length,
                waitedNanoseconds: now.nanoseconds(since: self[index].timing.submitted)))
    }

    /// An active sequence that holds exactly a match. In order of preference: an idle sequence that
    /// loses little by being cut to it; a free one that shares it; an idle one cut to it when that
    /// is most of the prompt; the least recently used one, emptied, to share it.
    private mutating func sequence(
        holding match: SequenceCache.Match, of tokens: Int
    ) -> SequenceID {
        guard match.length > 0 else {
            if let free = cache.takeFree() { return free }
            evict(leastRecentlyUsed())
            return takeFree()
        }
        let idle = cache.shortestIdle(holding: match)
        if let idle {
            let lost = cache.length(idle) - match.length
            let isCheap = lost * 8 <= match.length
            if isCheap || (cache.freeSequences == 0 && match.length * 2 > tokens) {
                return reuse(idle, match.length)
            }
        }
        let donor = cache.donor(of: match)
        if cache.freeSequences == 0 {
            guard let victim = cache.leastRecentlyUsed(except: donor) else {
                return reuse(donor, match.length)
            }
            evict(victim)
        }
        if cache.state(donor) == .idle { cache.touch(donor) }
        let sequence = takeFree()
        share(from: donor, to: sequence, length: match.length)
        return sequence
    }

    private mutating func reuse(_ sequence: SequenceID, _ length: Int) -> SequenceID {
        cache.activate(sequence)
        if cache.length(sequence) > length {
            cache.truncate(sequence, to: length)
            cacheOperations.append(.truncate(sequence, length: length))
        }
        return sequence
    }

    mutating func share(from donor: SequenceID, to sequence: SequenceID, length: Int) {
        cache.copy(from: donor, to: sequence, length: length)
        cacheOperations.append(.copy(from: donor, to: sequence, length: length))
    }

    private mutating func takeFree() -> SequenceID {
        guard let sequence = cache.takeFree() else {
            preconditionFailure("more sequences active than slots")
        }
        return sequence
    }

    private func leastRecentlyUsed() -> SequenceID {
        guard let sequence = cache.leastRecentlyUsed() else {
            preconditionFailure("more sequences active than slots")
        }
        return sequence
    }

    /// Lets a request go on that waited for another's prefill, when that has come far enough or
    /// will not come. Returns whether it still waits.
    mutating func awaitsLeader(_ index: Int) -> Bool {
        guard let leader = self[index].leader else { return false }
        let isLeading =
            self[leader.index].serial == leader.serial
            && self[leader.index].phase == .running && !self[leader.index].isPaused
        if isLeading, self[leader.index].computed < leader.length { return true }
        self[index].leader = nil
        let prefix = resident(index)
        let (length, held) = (prefix.match.length, self[index].computed)
        if length > held {
            let (sequence, donor) = (self[index].sequence, cache.donor(of: prefix.match))
            if held > 0 {
                cache.truncate(sequence, to: 0)
                cacheOperations.append(.clear(sequence))
            }
            share(from: donor, to: sequence, length: length)
            self[index].computed = length
            counters.prefixHitTokens += UInt64(length - held)
            if self[index].timing.preemptions == 0 {
                self[index].cachedTokens = min(length, self[index].promptCount)
            }
        }
        // Whoever led may be gone: another may lead now.
        self[index].leader = prefix.leader
        return prefix.leader != nil
    }
}
