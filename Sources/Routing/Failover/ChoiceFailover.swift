package import InferenceTypes

/// What becomes of one choice when workers are lost: decides, and does nothing. Owned by the
/// choice.
///
/// ```
///              granted                     finished, end
///   waiting ─────────────► running ──────────────────────────► ended
///      ▲                    │    │                              ▲ ▲
///      │ retry, requeue     │    └── lost, evicted: its tokens ─┘ │
///      └────────────────────┘        were all, or no more tries   │
///      └──────────────────── end, retryDenied ────────────────────┘
/// ```
///
/// Tokens are accepted only while running, and each attempt begins behind those accepted before it:
/// none is accepted twice, and none is left out. Events that a state does not wait for (the end of
/// a call that was given up, a grant to a choice that has ended) change nothing.
package struct ChoiceFailover: Hashable, Sendable {
    package enum State: UInt8, Hashable, Sendable {
        case waiting
        case running
        case ended
    }

    /// An attempt on a worker.
    package struct Start: Hashable, Sendable {
        /// From 0.
        package var attempt: Int
        /// Tokens of the answer that go to the worker as part of its prompt.
        package var resumedTokens: Int
    }

    /// The choice goes back to the head of the queue.
    package struct Retry: Hashable, Sendable {
        /// It has tokens already.
        package var isResumed: Bool
        /// How long to wait before it may be placed again.
        package var waitNanoseconds: Int64
        /// True: only if the retry budget allows; `retryDenied` when it does not. What a worker's
        /// end costs is counted in the budget but never refused by it.
        package var needsBudget: Bool
    }

    package enum LossAction: Hashable, Sendable {
        /// The call was given up before.
        case none
        /// The answer was complete.
        case finish(FinishReason)
        /// The client gets the error.
        case fail
        case retry(Retry)
    }

    package enum EvictionAction: Hashable, Sendable {
        case none
        /// The call is to be cancelled; the answer was complete.
        case finish(FinishReason)
        /// The call is to be cancelled, and the choice placed anew at once.
        case requeue(isResumed: Bool)
    }

    package let limits: FailoverLimits
    package private(set) var state = State.waiting
    /// Tokens that workers sent, in order and without gaps.
    package private(set) var acceptedTokens = 0
    /// Workers that it was started on.
    package private(set) var attempts = 0
    /// How often it was continued after its first token because a worker was lost.
    package private(set) var resumes = 0
    /// Workers lost in a row that brought no token.
    package private(set) var fruitless = 0
    /// Workers in a row that were full.
    package private(set) var refusals = 0
    /// How often it went back to the queue.
    package private(set) var requeues = 0
    /// Of the backoff's jitter.
    private let seed: UInt64

    package init(limits: FailoverLimits, seed: UInt64) {
        self.limits = limits
        self.seed = seed
    }

    // MARK: Events

    /// The dispatcher found a worker. Nil when the choice does not wait.
    package mutating func granted() -> Start? {
        guard state == .waiting else { return nil }
        state = .running
        attempts += 1
        return Start(attempt: attempts - 1, resumedTokens: acceptedTokens)
    }

    /// The worker sent the next `count` tokens. False when they are not to be used.
    package mutating func received(tokens count: Int) -> Bool {
        guard state == .running else { return false }
        acceptedTokens += count
        fruitless = 0
        refusals = 0
        return true
    }

    /// The worker finished. False when its call was given up before.
    package mutating func finished() -> Bool {
        guard state == .running else { return false }
        state = .ended
        return true
    }

    /// The worker's call ended without a finish.
    ///
    /// - Parameter over: why the tokens accepted so far are a complete answer; nil when they are
    ///   not. The worker may have been lost after its last token and before it said so.
    package mutating func lost(_ fault: WorkerFault, over: FinishReason?) -> LossAction {
        guard state == .running else { return .none }
        if let over { return ended(.finish(over)) }
        switch fault {
        case .rejected, .abandoned:
            return ended(.fail)
        case .contextFull:
            // What was generated leaves no room on the worker that it would go on with.
            return ended(acceptedTokens > 0 ? .finish(.contextFull) : .fail)
        case .busy:
            refusals += 1
            guard refusals <= limits.busyLimit else { return ended(.fail) }
            return retry(waitNanoseconds: 0, needsBudget: false)
        case .lost, .leaving, .failed:
            fruitless += 1
            guard fruitless <= limits.retryLimit else { return ended(.fail) }
            if acceptedTokens > 0 {
                guard resumes < limits.resumeLimit else { return ended(.fail) }
                resumes += 1
            }
            // The first change of workers is for free; a worker that is gone is not chosen again.
            let waits = fault == .failed ? fruitless : fruitless - 1
            return retry(
                waitNanoseconds: waits == 0
                    ? 0 : limits.backoff.nanoseconds(retry: waits, seed: seed),
                needsBudget: fault == .failed)
        }
    }

    /// Its worker is being drained and its time there is over.
    package mutating func evicted(over: FinishReason?) -> EvictionAction {
        guard state == .running else { return .none }
        if let over {
            state = .ended
            return .finish(over)
        }
        state = .waiting
        requeues += 1
        return .requeue(isResumed: acceptedTokens > 0)
    }

    /// The retry budget refused what needed it. False when the choice does not wait.
    package mutating func retryDenied() -> Bool {
        guard state == .waiting else { return false }
        state = .ended
        return true
    }

    /// Its client is gone, its time is over, the dispatcher refused it, or its text is complete.
    /// True when a call is to be cancelled.
    package mutating func end() -> Bool {
        defer { state = .ended }
        return state == .running
    }

    // MARK: Private

    private mutating func ended(_ action: LossAction) -> LossAction {
        state = .ended
        return action
    }

    private mutating func retry(waitNanoseconds: Int64, needsBudget: Bool) -> LossAction {
        state = .waiting
        requeues += 1
        return .retry(
            Retry(
                isResumed: acceptedTokens > 0, waitNanoseconds: waitNanoseconds,
                needsBudget: needsBudget))
    }

    /// Attempts are bounded by what caused them, and each count by its limit. Traps otherwise.
    package func checkInvariants() {
        precondition(attempts <= requeues + 1, "\(attempts) attempts, \(requeues) requeues")
        precondition(state != .running || attempts >= 1, "runs without an attempt")
        precondition(acceptedTokens == 0 || attempts >= 1, "tokens without an attempt")
        precondition(resumes <= limits.resumeLimit, "\(resumes) resumes")
        let slack = state == .ended ? 1 : 0
        precondition(fruitless <= limits.retryLimit + slack, "\(fruitless) fruitless")
        precondition(refusals <= limits.busyLimit + slack, "\(refusals) refusals")
    }
}
