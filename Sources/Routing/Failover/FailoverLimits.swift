/// How often one choice may change workers; each limit ends it with its last worker's error.
package struct FailoverLimits: Hashable, Sendable {
    /// Workers that may be lost or fail in a row without a token from any of them.
    package var retryLimit: Int
    /// How often a choice may be continued after its first token.
    package var resumeLimit: Int
    /// How often in a row workers may answer that they are full. Each such worker gets no requests
    /// for a while (`WorkerBreaker.pressed`), so that this many answers take minutes.
    package var busyLimit: Int
    package var backoff: Backoff

    package init(
        retryLimit: Int = 3, resumeLimit: Int = 64, busyLimit: Int = 64,
        backoff: Backoff = Backoff()
    ) {
        precondition(retryLimit >= 0, "retryLimit: \(retryLimit)")
        precondition(resumeLimit >= 0, "resumeLimit: \(resumeLimit)")
        precondition(busyLimit >= 0, "busyLimit: \(busyLimit)")
        self.retryLimit = retryLimit
        self.resumeLimit = resumeLimit
        self.busyLimit = busyLimit
        self.backoff = backoff
    }
}
