import Synchronization

/// Something that happens once, with a value, and that others can wait for. Control path only: a
/// lock is held for a few instructions.
final class OneTime<Value: Sendable>: Sendable {
    private struct State {
        var hasBegun = false
        var value: Value?
        var waiters: [CheckedContinuation<Value, Never>] = []
    }

    private let state = Mutex(State())

    /// True for the first caller, who has to do it and call `finish`.
    func begin() -> Bool {
        state.withLock { state in
            defer { state.hasBegun = true }
            return !state.hasBegun
        }
    }

    /// It has happened. To be called once.
    func finish(_ value: Value) {
        let waiters = state.withLock { state in
            precondition(state.value == nil, "happened twice")
            state.value = value
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume(returning: value) }
    }

    /// Returns the value once there is one.
    func wait() async -> Value {
        await withCheckedContinuation { continuation in
            let value = state.withLock { state in
                if state.value == nil { state.waiters.append(continuation) }
                return state.value
            }
            if let value { continuation.resume(returning: value) }
        }
    }
}
