import Storage
import Synchronization

/// Which loop has which resumable stream, by the stream's own id and by its answer's. A lock,
/// because any loop may be asked for any stream; taken when a stream begins, ends or is resumed.
final class ResumableStreams: Sendable {
    struct Place: Hashable, Sendable {
        var loop: Int
        /// The stream's own id.
        var stream: String
        /// Who may read it.
        var owner: Owner
    }

    private struct State {
        var places: [String: Place] = [:]
        var count = 0
    }

    private let state = Mutex(State())

    /// False when there are `limit` already.
    func add(_ place: Place, answerID: String, limit: Int) -> Bool {
        state.withLock { state in
            guard state.count < limit else { return false }
            state.count += 1
            state.places[place.stream] = place
            state.places[answerID] = place
            return true
        }
    }

    func remove(stream: String, answerID: String) {
        state.withLock { state in
            guard state.places.removeValue(forKey: stream) != nil else { return }
            state.places[answerID] = nil
            state.count -= 1
        }
    }

    /// Nil also for a stream of somebody else.
    func find(_ id: String, of owner: Owner) -> Place? {
        state.withLock { $0.places[id] }.flatMap { $0.owner == owner ? $0 : nil }
    }
}
