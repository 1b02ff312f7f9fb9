import NIOCore
import Synchronization

/// The open connections of a server: counts them against the limit, and finds them for drain.
///
/// Shared by all loops under a lock, which is taken twice in a connection's life and never on the
/// data path.
final class HTTPConnectionRegistry: Sendable {
    private struct State {
        var channels: [ObjectIdentifier: any Channel] = [:]
        var refused = 0
        var isClosing = false
    }

    private let limit: Int
    private let refusedLimit: Int
    private let state = Mutex(State())

    init(limit: Int, refusedLimit: Int) {
        self.limit = limit
        self.refusedLimit = refusedLimit
    }

    /// Counts a new connection until it closes; false: over the limit, or the server is closing.
    func add(_ channel: any Channel) -> Bool {
        let id = ObjectIdentifier(channel)
        let isAdmitted = state.withLock { state in
            guard !state.isClosing, state.channels.count < limit else { return false }
            state.channels[id] = channel
            return true
        }
        guard isAdmitted else { return false }
        channel.closeFuture.whenComplete { [self] _ in
            state.withLock { $0.channels[id] = nil }
        }
        return true
    }

    /// Counts a connection that is over the limit and shall be told so, until it closes; false:
    /// there are too many of those too.
    func addRefused(_ channel: any Channel) -> Bool {
        let isAdmitted = state.withLock { state in
            guard !state.isClosing, state.refused < refusedLimit else { return false }
            state.refused += 1
            return true
        }
        guard isAdmitted else { return false }
        channel.closeFuture.whenComplete { [self] _ in
            state.withLock { $0.refused -= 1 }
        }
        return true
    }

    var count: Int { state.withLock { $0.channels.count } }

    /// Admits nothing more, and gives what is open, in no particular order.
    func beginClosing() -> [any Channel] {
        state.withLock { state in
            state.isClosing = true
            return Array(state.channels.values)
        }
    }
}
