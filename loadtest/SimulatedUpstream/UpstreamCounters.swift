import Synchronization

/// What an upstream has done, on all of its event loops. Each loop adds to it, once in a step.
final class UpstreamCounters: Sendable {
    // Atomic, since several loops add and any of them is asked.
    private let tokensSum = Atomic(0)
    private let lateness = Atomic<Int64>(0)

    /// Written in answers, whole ones included.
    var tokens: Int { tokensSum.load(ordering: .relaxed) }
    /// The latest that a moment of a loop came after it was due, in nanoseconds.
    var worstLateness: Int64 { lateness.load(ordering: .relaxed) }

    func wrote(_ tokens: Int) { tokensSum.wrappingAdd(tokens, ordering: .relaxed) }

    func late(_ nanoseconds: Int64) { lateness.max(nanoseconds, ordering: .relaxed) }
}
