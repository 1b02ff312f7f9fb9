import Admission
import InferenceTypes
import Routing

/// Who is let in, what it costs, and how long it waits.
extension Dispatcher {
    /// Prefilling a cached token costs so much less than one that is not.
    private static let cachedTokenDiscount = 20.0
    /// Those who come again when they were told to may find so much of the queue's limit beyond it.
    private static let promisedPart = 4

    /// Lets the request in, or says why not. Its tickets are in `tickets`.
    func admit(_ submission: Submission, now: Instant) -> Refusal? {
        var limited: UInt64?
        if !submission.terms.limits.isEmpty {
            let answers = submission.tickets.indices.reduce(0) {
                $0 + submission.request($1).outputTokens
            }
            switch commons.limits.reserve(
                submission.terms.limits, tokens: submission.promptTokens + answers, now: now)
            {
            case .refused(let refusal): return .limited(refusal)
            case .granted(let reservation, let standing):
                limited = limitedRequests.add(
                    LimitedRequests.Request(
                        reservation: reservation, openTickets: submission.tickets.count,
                        promptTokens: submission.promptTokens))
                if let first = submission.tickets.first {
                    outbox[first.loop].append(.stands(first, standing))
                }
            }
        }
        // From here on its end gives back what it has of its limits, also when it is refused.
        let work = submission.tickets.map { ticket in
            tickets[ticket]?.limited = limited
            return AdmissionQueue.Work(
                ticket, nanoseconds: tickets[ticket]?.predictedCost ?? 1)
        }
        let place = predictedPlace(submission, work)
        let wait = place.map {
            predictor.predict(aheadNanoseconds: $0.aheadNanoseconds, workers: takingWorkers)
        }
        if let place, let wait,
            let refusal = refusal(of: submission, at: place, waiting: wait, now: now)
        {
            return refusal
        }
        // Newcomers leave the places that were promised to others.
        let isPromised = submission.fingerprint.map { promises.keep($0, now: now) } ?? false
        let kept = promises.places(now: now)
        let extra = queue.configuration.queueLimitTickets / Self.promisedPart + 1
        switch queue.submit(
            work, of: submission.terms.claim, tier: submission.tier,
            deadline: submission.deadline, extraPlaces: isPromised ? extra : -kept, now: now)
        {
        case .refused(let refusal): return refusal
        case .queued:
            if let first = submission.tickets.first { tickets[first]?.wait = wait }
            return nil
        }
    }

    // MARK: Waits

    /// Nil for who gets a worker at once, and for batch work, which waits as long as it takes.
    private func predictedPlace(
        _ submission: Submission, _ work: [AdmissionQueue.Work]
    ) -> AdmissionQueue.Place? {
        guard submission.tier != .batch, !fleet.hasRoom || queuedBeforeBatch > 0,
            let first = work.first
        else { return nil }
        return queue.place(first, of: submission.terms.claim, tier: submission.tier)
    }

    private var queuedBeforeBatch: Int {
        queue.count(of: .priority) + queue.count(of: .standard)
    }

    /// A request that would probably get its first token too late is refused when it comes.
    /// Judged by its work and by the number of tickets ahead: either may be wrong, hardly both.
    private func refusal(
        of submission: Submission, at place: AdmissionQueue.Place, waiting wait: WaitPrediction,
        now: Instant
    ) -> Refusal? {
        guard predictor.isMeasured, takingWorkers > 0, let deadline = submission.deadline else {
            return nil
        }
        let left = deadline.nanoseconds(since: now)
        guard left > 0 else { return nil }
        let prefill =
            Double(submission.request(0).promptTokens) * rates.pool.prefillSecondsPerToken
        let most = left - Int64(prefill * 1e9)
        guard wait.medianNanoseconds > most,
            predictor.nanoseconds(tickets: place.position + 1) ?? 0 > Double(most)
        else { return nil }
        return .wouldWaitTooLong(
            predictedNanoseconds: wait.medianNanoseconds,
            excessNanoseconds: wait.medianNanoseconds - most)
    }

    /// The ticket gets a worker now.
    func handedOut(_ entry: inout DispatchTicket, now: Instant) {
        guard entry.attempts == 0 else {
            // It was charged the first time.
            entry.charged += 1
            return
        }
        entry.charged += entry.predictedCost
        guard entry.tier != .batch else { return }
        let waited = now.nanoseconds(since: entry.queued)
        predictor.handedOut(nanoseconds: entry.predictedCost, now: now)
        overload.handedOut(entry.tier, waited: waited, now: now)
        guard let wait = entry.wait else { return }
        entry.wait = nil
        predictor.observe(wait, actualNanoseconds: waited)
        status.waited(asPredicted: waited <= wait.p90Nanoseconds)
    }

    /// It left the queue without a worker.
    func gaveUp(_ entry: DispatchTicket, now: Instant) {
        guard let wait = entry.wait else { return }
        predictor.gaveUp(wait, afterNanoseconds: now.nanoseconds(since: entry.queued))
    }

    /// Ends every operation: whether somebody still waits, and who is shed.
    func settleWaits() {
        let now = clock()
        predictor.placed(stillWaiting: queuedBeforeBatch > 0, now: now)
        guard overload.isShedding else { return }
        for tier in [ServiceTier.priority, .standard] {
            let waiting = ServiceTier.allCases.filter { $0 >= tier }
                .reduce(0) { $0 + queue.count(of: $1) }
            for _ in 0..<overload.due(tier, waiting: waiting, now: now) {
                guard let ticket = queue.shedNewest() else { break }
                if let entry = tickets[ticket] {
                    queued.remove(entry.request)
                    gaveUp(entry, now: now)
                }
                refuse([ticket], .shed, now: now)
            }
        }
    }

    /// Where those of the tickets stand that wait, for their loop.
    func tellPlaces(_ asked: [TicketID]) {
        guard let loop = asked.first?.loop else { return }
        let places = asked.compactMap { ticket -> TicketPlace? in
            guard let place = queue.place(of: ticket) else { return nil }
            let wait = predictor.predict(
                aheadNanoseconds: place.aheadNanoseconds, workers: takingWorkers)
            return TicketPlace(
                ticket: ticket, position: place.position + 1,
                etaMilliseconds: predictor.isMeasured
                    ? Int(wait.medianNanoseconds / 1_000_000) : nil)
        }
        guard !places.isEmpty else { return }
        outbox[loop].append(.places(places))
        settle()
    }

    // MARK: Refusals

    /// When a refused request may come again; 0 where the answer does not say it.
    func retryAfterMilliseconds(
        _ refusal: Refusal, _ refused: [TicketID], now: Instant
    ) -> Int {
        var excess: Int64 = 0
        switch refusal {
        case .limited(let limit): return Self.milliseconds(limit.retryAfterNanoseconds)
        case .deadlinePassed, .draining: return 0
        case .wouldWaitTooLong(_, let nanoseconds): excess = nanoseconds
        case .shed:
            // When waits will be well again.
            let backlog = Double(queue.backlogNanoseconds)
            let wait = predictor.predict(aheadNanoseconds: backlog, workers: takingWorkers)
            excess = wait.medianNanoseconds - overload.configuration.targetNanoseconds
        case .queueFull, .waitedTooLong, .noWorker: break
        }
        let cost = refused.reduce(0) { $0 + (tickets[$1]?.predictedCost ?? 1) }
        return Self.milliseconds(
            predictor.retryAfter(
                excess: excess, nanoseconds: cost, workers: takingWorkers, now: now))
    }

    private static func milliseconds(_ nanoseconds: Int64) -> Int {
        Int((nanoseconds + 999_999) / 1_000_000)
    }

    // MARK: Costs

    /// Engine time in nanoseconds that the choice will take, nothing of its prompt being cached.
    func cost(of request: PlacementRequest) -> Int64 {
        cost(
            promptTokens: Double(request.promptTokens), outputTokens: request.outputTokens,
            contextTokens: request.promptTokens + request.outputTokens)
    }

    /// In a unit that stays the same while it is learned how fast the workers are: such a request
    /// always costs what it does at the default rates. Else the costs of those who came before and
    /// after would not compare.
    private static let reference = PlacementRequest(promptTokens: 256, outputTokens: 128)

    private func cost(promptTokens: Double, outputTokens: Int, contextTokens: Int) -> Int64 {
        let seconds = seconds(
            rates.pool, promptTokens: promptTokens, outputTokens: outputTokens,
            contextTokens: contextTokens)
        func ofReference(_ rates: WorkerRates) -> Double {
            let (prompt, output) = (Self.reference.promptTokens, Self.reference.outputTokens)
            return self.seconds(
                rates, promptTokens: Double(prompt), outputTokens: output,
                contextTokens: prompt + output)
        }
        let unit = ofReference(WorkerRates()) / max(ofReference(rates.pool), 1e-9)
        return max(1, Int64(min(seconds * unit * 1e9, 1e15)))
    }

    /// A prompt has a worker to itself; a step of an answer is shared by all that fill the batch.
    private func seconds(
        _ rates: WorkerRates, promptTokens: Double, outputTokens: Int, contextTokens: Int
    ) -> Double {
        let sequences = max(1, fleet.readySlots / max(1, takingWorkers))
        let step = rates.stepSeconds(
            WorkerLoad(
                sequences: sequences, prefillTokens: 0, contextTokens: sequences * contextTokens))
        return promptTokens * rates.prefillSecondsPerToken
            + Double(outputTokens) * step / Double(sequences)
    }

    /// The choice has ended: its tenant is charged for what it took, and gets back what was
    /// charged too much. What lost workers computed in vain is nobody's.
    func charge(_ entry: DispatchTicket, for summary: RunSummary, now: Instant) {
        guard entry.attempts > 0 else { return }
        let prompt = entry.request.promptTokens
        var used: Int64
        if summary.generatedTokens == 0 {
            used = cost(promptTokens: Double(prompt), outputTokens: 0, contextTokens: prompt)
            if let run = entry.run, run.first == nil {
                // So much of the prompt as there was time for.
                let needed = Double(prompt) * rates.pool.prefillSecondsPerToken
                let part = Self.seconds(from: run.placed, to: now) / max(needed, 1e-9)
                used = max(1, Int64(Double(used) * min(1, part)))
            }
        } else {
            let cached = Double(min(summary.cachedTokens, prompt))
            used = cost(
                promptTokens: Double(prompt) - cached + cached / Self.cachedTokenDiscount,
                outputTokens: summary.generatedTokens,
                contextTokens: prompt + summary.generatedTokens)
        }
        queue.charge(used - entry.charged, to: entry.claim.tenant, tier: entry.tier)
    }

    // MARK: Limits

    /// The ticket has ended: when it is its request's last one, that gives its limits back.
    func endLimits(
        of entry: DispatchTicket, tokens: Int, isRefused: Bool = false, now: Instant
    ) {
        guard let number = entry.limited,
            let request = limitedRequests.ticketEnded(number, tokens: tokens, isRefused: isRefused)
        else { return }
        if request.wasServed {
            commons.limits.settle(
                request.reservation,
                tokens: request.generatedTokens > 0 || entry.attempts > 0
                    ? request.promptTokens + request.generatedTokens : 0, now: now)
        } else {
            commons.limits.cancel(request.reservation, now: now)
        }
    }
}
