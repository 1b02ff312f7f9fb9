import GRPC
import HTTPTransport
import NIOCore

extension LoadRun {
    /// Numbers of warm-up requests, beside those of the load, so that a trace is played whole.
    private static let warmUpNumbers = 1 << 40

    /// Begins the next arrival.
    func launch(intendedStart: UInt64) {
        let number = phase == .warmingUp ? Self.warmUpNumbers + launched : arrivalNumber
        if phase != .warmingUp { arrivalNumber += 1 }
        launched += 1
        let purpose: LoadStream.Purpose = phase == .measuring ? .measured : .warmUp
        if case .small = configuration.work {
            var work = StreamWork()
            work.isChat = false
            open(purpose, work, intendedStart: intendedStart)
        } else {
            begin(ArrivalState(planner.plan(number)), purpose, intendedStart: intendedStart)
        }
    }

    /// Sends the next request of an arrival.
    private func begin(
        _ arrival: ArrivalState, _ purpose: LoadStream.Purpose, intendedStart: UInt64
    ) {
        let turn = planner.turn(arrival.turn, of: arrival.plan)
        arrival.say(planner.messages(arrival.turn, of: arrival.plan, turn))
        var work = StreamWork()
        work.traffic = arrival.plan.traffic
        work.measuredClass = measuredClasses.index(work.traffic, slow: turn.pace != nil)
        work.encoding = heads.encoding
        work.body = heads.body(work.traffic, arrival.messages, maxTokens: turn.maxTokens)
        work.arrival = arrival
        work.keepsText = !arrival.isLastTurn
        work.cancel = turn.cancel
        work.pace = turn.pace
        open(purpose, work, intendedStart: intendedStart)
    }

    private func open(
        _ purpose: LoadStream.Purpose, _ work: StreamWork, intendedStart: UInt64
    ) {
        guard active.count < configuration.inFlightMax else {
            return keptBack(purpose, class: work.measuredClass)
        }
        if purpose == .measured {
            measurements.sent(
                class: work.measuredClass, intended: intendedStart, at: Self.now)
        }
        let stream = LoadStream(
            run: self, purpose: purpose, intendedStart: intendedStart, work: work)
        stream.index = active.count
        active.append(stream)
        pool.open(for: stream, stream.lane)
    }

    /// The generator has as many requests in flight as it may.
    private func keptBack(_ purpose: LoadStream.Purpose, class index: Int) {
        let kind = "generator's in-flight limit"
        switch purpose {
        case .measured: measurements.notSent(class: index, kind: kind, at: Self.now)
        case .warmUp: measurements.failedOutside("warm-up: " + kind, sample: "")
        case .probe: endedProbe(failed: true)
        }
    }

    // MARK: What streams ask

    func head(class index: Int, target: Int) -> HTTPRequestHead { heads.head(index, target) }
    func metadata(class index: Int) -> GRPCMetadata { heads.metadata(index) }
    func target(_ index: Int) -> LoadTarget { configuration.targets[index] }

    // MARK: What streams tell

    func released(_ connection: LoadConnection) { pool.release(connection) }

    private func isMeasured(_ stream: LoadStream) -> Bool {
        stream.purpose == .measured && phase == .measuring
    }

    /// Whether its output counts. That of a stream which began while the load settled does, as
    /// far as it comes later; as a request it does not.
    private func isOutputMeasured(_ stream: LoadStream) -> Bool {
        stream.purpose != .probe && phase == .measuring
    }

    func admitted(_ stream: LoadStream, _ queueNanoseconds: UInt64) {
        guard isMeasured(stream) else { return }
        measurements.admitted(
            class: stream.work.measuredClass, queueNanoseconds: queueNanoseconds)
    }

    func startedOutput(_ stream: LoadStream, now: UInt64) {
        if isMeasured(stream) {
            measurements.firstToken(intended: stream.intendedStart, at: now)
        }
        guard stream.purpose == .probe, let window = probe?.window else { return }
        probe?.window?.end = now
        measurements.probeFirstToken(after: now - window.start)
    }

    func delivered(_ deltas: Int, by stream: LoadStream, now: UInt64) {
        guard isOutputMeasured(stream) else { return }
        measurements.delivered(class: stream.work.measuredClass, deltas: deltas, at: now)
    }

    /// A slow reader's gaps are its own.
    func recordGap(of stream: LoadStream, from: UInt64, to: UInt64) {
        guard isOutputMeasured(stream), !stream.isSlowReader else { return }
        let duringProbe = probe.map { $0.window?.overlaps(from: from, to: to) ?? false }
        measurements.gap(
            class: stream.work.measuredClass, from: from, to: to, duringProbe: duringProbe)
    }

    /// Called once for each stream, last.
    func ended(_ stream: LoadStream, _ end: StreamEnd) {
        if retries(stream, end) { return }
        active[stream.index] = active[active.count - 1]
        active[stream.index].index = stream.index
        active.removeLast()
        guard phase != .finished else { return }
        let failure = StreamFailure.kind(of: stream, end)
        switch stream.purpose {
        case .probe: return endedProbe(failed: failure != nil)
        case .warmUp:
            guard let failure else { break }
            measurements.failedOutside("warm-up: " + failure, sample: stream.errorBody)
        case .measured:
            let now = Self.now
            measurements.ended(
                class: stream.work.measuredClass, stream.outcome(failure: failure, at: now),
                at: now)
        }
        if failure == nil, !stream.isCancelled, let arrival = stream.work.arrival,
            !arrival.isLastTurn
        {
            arrival.answered(stream.tally.text)
            think(arrival, after: stream.end ?? Self.now)
        } else {
            goOn(afterFailure: failure != nil)
        }
    }

    /// The next turn is due when the user has thought, from the answer's end on.
    private func think(_ arrival: ArrivalState, after end: UInt64) {
        let turn = planner.turn(arrival.turn, of: arrival.plan)
        let due = end + turn.thinkNanoseconds
        thinking += 1
        loop.assumeIsolated().scheduleTask(deadline: .uptimeNanoseconds(due)) {
            self.thinking -= 1
            guard self.phase != .finished else { return }
            self.begin(
                arrival, self.phase == .measuring ? .measured : .warmUp, intendedStart: due)
        }
    }

    /// A server may close an idle connection while a request is on its way to it (RFC 9112 §9.5):
    /// such a request is sent again, once, and its time goes on counting.
    private func retries(_ stream: LoadStream, _ end: StreamEnd) -> Bool {
        guard configuration.version == .h1, case .http(.connectionClosed?) = end,
            stream.status == 0, !stream.isRetry, !stream.isTimedOut, !stream.isCancelled,
            phase != .finished
        else { return false }
        stream.isRetry = true
        pool.open(for: stream, stream.lane, reusing: false)
        return true
    }

    // MARK: Probes

    func scheduleProbe(after seconds: Double) {
        loop.assumeIsolated().scheduleTask(in: .nanoseconds(Int64(seconds * 1e9))) {
            guard self.phase == .measuring, let probe = self.probe else { return }
            let now = Self.now
            self.probe?.window = ProbeState.Window(start: now, end: nil)
            var work = StreamWork()
            work.encoding = self.heads.encoding
            let words = PromptWords.text(
                probe.settings.promptTokens,
                seed: ~self.configuration.seed &- UInt64(probe.injected))
            work.body = self.heads.body(
                0, [ChatMessage(role: .user, text: words)], maxTokens: probe.settings.maxTokens)
            self.probe?.injected += 1
            self.open(.probe, work, intendedStart: now)
        }
    }

    private func endedProbe(failed: Bool) {
        guard let state = probe else { return }
        if failed {
            measurements.failedOutside("probe failed", sample: "")
            if state.window?.end == nil { probe?.window?.end = Self.now }
        }
        if state.injected < state.settings.count {
            scheduleProbe(after: state.settings.afterSeconds)
        }
        finishIfOver()
    }
}

extension LoadStream {
    var lane: LoadConnection.Lane { isSlowReader ? .slow : .normal }

    /// What is known of it when the measurement ends before it does.
    func outcome(cutOffAt now: UInt64) -> RequestOutcome {
        var outcome = outcome(failure: nil, at: now)
        if firstDelta != nil, end == nil, !isSlowReader {
            outcome.longestGap = max(outcome.longestGap, now - lastDelta)
        }
        return outcome
    }
}
