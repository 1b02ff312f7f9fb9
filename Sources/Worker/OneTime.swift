import Synchronization

/// Something that happens once, and that others can wait for. Control path only: a lock is held
/// for a few instructions.
final class OneTime: Sendable {
    private struct State {
        var hasBegun = false
        var hasFinished = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    /// True for the first caller, who has to do it and call `finish`.
    func begin() -> Bool {
        state.withLock { state in
            defer { state.hasBegun = true }
            return !state.hasBegun
        }
    }

    func finish() {
        let waiters = state.withLock { state in
            state.hasFinished = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    func wait() async {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                if !state.hasFinished { state.waiters.append(continuation) }
                return state.hasFinished
            }
            if isOver { continuation.resume() }
        }
    }
}
