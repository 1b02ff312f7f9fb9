/// How much of everything one owner may have, and for how long. What would exceed a limit is
/// refused (`StorageError.limitReached`), but for stored responses, of which the oldest goes.
package struct StorageLimits: Hashable, Sendable {
    /// Deferred requests, waiting or with a result that is kept.
    package var jobs = 100_000
    /// Bytes of their bodies.
    package var jobBytes = 4 << 30
    /// Stored responses.
    package var responses = 100_000
    package var batches = 10_000
    /// Requests in all of an owner's batches.
    package var batchRequests = 1_000_000
    /// Bytes of their bodies.
    package var batchBytes = 16 << 30
    package var files = 10_000
    /// Of one file; xAI's own limit.
    package var fileBytes = 50 << 20
    /// Of all of an owner's files.
    package var allFileBytes = 16 << 30

    /// In all, as every change reads all of them.
    package var tenants = 10_000
    package var keys = 100_000

    /// How long a deferred request may wait, and how long its result is kept.
    package var deferredSeconds = 24 * 3_600
    /// How long a stored response is kept.
    package var responseSeconds = 30 * 24 * 3_600
    /// How long a batch may run; requests that have not run by then end with an error.
    package var batchSeconds = 24 * 3_600
    /// How long a batch and its results are kept.
    package var batchRetentionSeconds = 30 * 24 * 3_600

    /// Times that the process may end while a job runs; it is then taken for the cause and fails.
    package var interruptions = 100

    package init() {}
}
