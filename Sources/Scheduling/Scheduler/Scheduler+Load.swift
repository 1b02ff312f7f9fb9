extension Scheduler {
    /// A snapshot, in time proportional to the slots.
    package var load: SchedulerLoad {
        var load = counters
        load.slots = slots.count
        load.waiting = queue.count
        load.parked = parkedCount
        load.queuedPrefillTokens = waitingTokens
        for index in slots where index >= 0 {
            load.running += 1
            if self[index].isDecoding {
                load.decoding += 1
            } else {
                load.queuedPrefillTokens += self[index].remaining
            }
        }
        load.usedCells = cache.usedCells
        load.idleCells = cache.idleCells
        load.totalCells = cache.totalCells
        load.cachedPrefixes = cache.idleSequences
        return load
    }

    /// Requests that have not ended.
    package var aliveRequests: Int { requests.count - unusedIndices.count }

    /// What the scheduler believes of step times by now.
    package var stepProfile: AffineStepProfile { estimator.profile }

    func checkState() {
        cache.checkInvariants()
        var (waiting, parked, running, waitingTokens) = (0, 0, 0, 0)
        var owned = Set<SequenceID>()
        for index in requests.indices {
            let request = requests[index]
            guard request.phase != .ended else { continue }
            precondition(request.tokens.count >= request.promptCount + request.resumedCount)
            precondition(request.tokens.count < requestTokensMax, "a request outgrew its context")
            precondition(
                request.isCancelled || indices[request.key] == index, "a request lost its key")
            switch request.phase {
            case .waiting:
                waiting += 1
                waitingTokens += request.tokens.count
                precondition(!request.isPaused, "a slow reader's request is queued")
            case .parked:
                parked += 1
                precondition(request.isPaused, "a request is parked without reason")
            case .running:
                running += 1
                precondition(slots[request.slot] == index, "a slot has another owner")
                precondition(cache.state(request.sequence) == .active)
                precondition(cache.length(request.sequence) == request.computed)
                precondition(owned.insert(request.sequence).inserted, "a sequence has two owners")
                precondition(
                    cache.tokens(request.sequence).elementsEqual(
                        request.tokens.prefix(request.computed)), "a sequence has other tokens")
                precondition(request.remaining > 0, "nothing left to compute, no sample")
                continue
            case .ended: continue
            }
            precondition(request.slot == -1 && request.sequence == -1 && request.computed == 0)
            precondition(!request.hasSampler && !request.isInFlight && request.leader == nil)
        }
        precondition(waiting == queue.count && parked == parkedCount, "requests in no state")
        precondition(running == slots.count { $0 >= 0 }, "slots without request")
        precondition(waitingTokens == self.waitingTokens, "waiting tokens miscounted")
        precondition(owned.count == cache.sequences.count { $0.state == .active })
        precondition(zip(queue.items, queue.items.dropFirst()).allSatisfy { $0 < $1 })
        for item in queue.items { precondition(self[item.index].phase == .waiting) }
        precondition(waiting + parked + running == requests.count - unusedIndices.count)
        precondition(cache.freeCells + cache.usedCells == engine.cacheCells)
    }
}
