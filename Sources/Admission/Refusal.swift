/// Why a request was not let in, or not kept waiting any longer.
package enum Refusal: Hashable, Sendable {
    case queueFull(limit: Int)
    case waitedTooLong(nanoseconds: Int64)
    /// It would probably wait longer than it may: refused when it came.
    case wouldWaitTooLong(predictedNanoseconds: Int64, excessNanoseconds: Int64)
    /// The pool is overloaded, and this was the newest of the lowest tier.
    case shed
    case noWorker
    case deadlinePassed
    case draining
    /// A limit of the caller's own.
    case limited(LimitRefusal)
}
