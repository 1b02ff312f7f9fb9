import InferenceTypes
import Scheduling
import Synchronization

/// The way from the engine thread to whoever reports cache events: a bounded list of changes. Until
/// somebody wants them it costs a step the look at a flag.
///
/// A lock, held to append or to take all; the engine thread never waits for more than that.
final class CacheLog: Sendable {
    private struct State {
        var changes: [CacheChange] = []
        var tokens = 0
        var isOverrun = false
    }

    /// Steps, and tokens in them, that wait for the reporter. Beyond either, all are dropped, and
    /// the reporter starts again from nothing.
    static let changesMax = 4_096
    static let tokensMax = 1 << 18

    private let isOn = Atomic(false)
    private let state = Mutex(State())

    /// From now on changes are kept. Any thread.
    func turnOn() {
        isOn.store(true, ordering: .relaxed)
    }

    /// On the engine thread, after each step.
    func record(_ plan: StepPlan, succeeded: Bool) {
        guard isOn.load(ordering: .relaxed) else { return }
        guard succeeded || !plan.cacheOperations.isEmpty else { return }
        let change = CacheChange(
            operations: plan.cacheOperations,
            entries: !succeeded
                ? []
                : plan.entries.map {
                    CacheChange.Growth(
                        sequence: $0.sequence, position: $0.position,
                        tokenCount: $0.tokenRange.count, salt: $0.prefixSalt)
                },
            tokens: succeeded ? plan.tokens : [])
        state.withLock { state in
            guard !state.isOverrun else { return }
            state.tokens += change.tokens.count
            state.changes.append(change)
            guard state.changes.count > Self.changesMax || state.tokens > Self.tokensMax else {
                return
            }
            state = State(isOverrun: true)
        }
    }

    /// Takes all changes since the last call; nil when some were dropped.
    func take() -> [CacheChange]? {
        state.withLock { state in
            defer { state = State() }
            return state.isOverrun ? nil : state.changes
        }
    }
}
