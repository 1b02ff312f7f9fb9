/// Why a worker's call ended otherwise than with a finish, as far as retries and the worker's
/// breaker are concerned.
package enum WorkerFault: UInt8, Hashable, Sendable, CaseIterable {
    /// The link to the worker broke, or the worker hangs: all that runs there is lost at once.
    case lost
    /// The worker takes or keeps no requests now: it drains, ends, or did not look at this one.
    case leaving
    /// The worker is full. Pressure, not a failure.
    case busy
    /// The worker failed this call: an internal error, or a stream that was cut off.
    case failed
    /// The request is at fault; another worker would say the same.
    case rejected
    /// Prompt and answer no longer fit this worker's context.
    case contextFull
    /// Nobody waits any more: the call's deadline passed or it was cancelled.
    case abandoned
}
