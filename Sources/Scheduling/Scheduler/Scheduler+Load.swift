import InferenceTypes

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
        checkShares()
        precondition(waiting + parked + running == requests.count - unusedIndices.count)
        precondition(cache.freeCells + cache.usedCells == engine.cacheCells)
    }
    private func checkShares() {
        for (tenant, line) in queue.lines.enumerated() {
            precondition(zip(line, line.dropFirst()).allSatisfy { $0 < $1 })
            for item in line {
                precondition(self[item.index].phase == .waiting)
                precondition(self[item.index].tenant == tenant, "waits in another's line")
            }
        }
        precondition(queue.lines.reduce(0) { $0 + $1.count } == queue.count)
        var tenants = tenants.tenants
        var active = Array(repeating: 0, count: ServiceTier.allCases.count)
        var (running, queued) = (active, active)
        for index in requests.indices where self[index].phase != .ended {
            let tier = Int(self[index].tier.rawValue)
            let tenant = self[index].tenant
            precondition(tenants[tenant].tier == self[index].tier)
            tenants[tenant].alive -= 1
            if !self[index].isPaused {
                active[tier] += 1
                tenants[tenant].active -= 1
            }
            if self[index].phase == .running {
                running[tier] += 1
            } else {
                queued[tier] += 1
                precondition(self[index].advanceNanoseconds == 0, "charged while it waits")
            }
        }
        precondition(queued == self.queued, "queued requests miscounted")
        for tier in ServiceTier.allCases {
            precondition(tiers.active(tier) == active[Int(tier.rawValue)], "active miscounted")
            precondition(tiers.running(tier) == running[Int(tier.rawValue)], "slots miscounted")
        }
        precondition(tenants.allSatisfy { $0.alive == 0 && $0.active == 0 }, "tenants miscounted")
    }
}
