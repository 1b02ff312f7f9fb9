/// When a worker that fails gets no requests for a while.
package struct BreakerConfiguration: Hashable, Sendable {
    /// Failures within the window that open the breaker.
    package var failureLimit: Int
    package var windowNanoseconds: Int64
    /// How long it stays open before one request is let through.
    package var openNanoseconds: Int64

    package init(
        failureLimit: Int = 5, windowNanoseconds: Int64 = 30_000_000_000,
        openNanoseconds: Int64 = 10_000_000_000
    ) {
        precondition((1...1_024).contains(failureLimit), "failureLimit: \(failureLimit)")
        precondition(windowNanoseconds > 0, "windowNanoseconds: \(windowNanoseconds)")
        precondition(openNanoseconds > 0, "openNanoseconds: \(openNanoseconds)")
        self.failureLimit = failureLimit
        self.windowNanoseconds = windowNanoseconds
        self.openNanoseconds = openNanoseconds
    }
}
