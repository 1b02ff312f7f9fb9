/// Why a request was not let in, or not kept waiting any longer.
package enum Refusal: Hashable, Sendable {
    case queueFull(limit: Int)
    case waitedTooLong(nanoseconds: Int64)
    case noWorker
    case deadlinePassed
    case draining
}
