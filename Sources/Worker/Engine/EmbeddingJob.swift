import InferenceTypes
import Synchronization

/// One `Embed` call on its way through the engine thread. Made on a connection's loop; the engine
/// thread computes it and answers once.
final class EmbeddingJob: Sendable {
    enum Outcome: Sendable {
        case vector([Float])
        /// Too many wait.
        case full(limit: Int)
        case failed(String)
        /// The engine ends.
        case ended
    }

    let tokens: [TokenID]
    /// Called on the engine thread, must not block.
    let answer: @Sendable (Outcome) -> Void
    private let cancelled = Atomic(false)

    init(_ tokens: [TokenID], answer: @escaping @Sendable (Outcome) -> Void) {
        self.tokens = tokens
        self.answer = answer
    }

    /// Nobody waits any more. From any thread.
    func cancel() { cancelled.store(true, ordering: .relaxed) }

    var isCancelled: Bool { cancelled.load(ordering: .relaxed) }
}
