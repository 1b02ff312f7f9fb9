import InferenceTypes

/// How long to wait before the n-th try: longer each time, up to a limit, and spread by chance so
/// that those who failed together do not come back together.
package struct Backoff: Hashable, Sendable {
    package var firstNanoseconds: Int64
    package var factor: Double
    package var limitNanoseconds: Int64
    /// Share of the wait by which it may be shorter or longer.
    package var jitter: Double

    package init(
        firstNanoseconds: Int64 = 50_000_000, factor: Double = 1.5,
        limitNanoseconds: Int64 = 5_000_000_000, jitter: Double = 0.2
    ) {
        precondition(firstNanoseconds >= 0, "firstNanoseconds: \(firstNanoseconds)")
        precondition(factor >= 1 && factor.isFinite, "factor: \(factor)")
        precondition(limitNanoseconds >= firstNanoseconds, "limitNanoseconds too small")
        precondition((0...1).contains(jitter), "jitter: \(jitter)")
        self.firstNanoseconds = firstNanoseconds
        self.factor = factor
        self.limitNanoseconds = limitNanoseconds
        self.jitter = jitter
    }

    /// The wait before retry `count`, from 1; a function of (count, seed).
    package func nanoseconds(retry count: Int, seed: UInt64) -> Int64 {
        precondition(count >= 1, "retry: \(count)")
        var wait = Double(firstNanoseconds)
        let limit = Double(limitNanoseconds)
        // Multiplied and not raised to a power: the same bits on every machine.
        for _ in 1..<count where wait < limit { wait *= factor }
        let draw = SeededGenerator.unit(seed: seed, counter: UInt64(count))
        return Int64(min(wait, limit) * (1 + jitter * (2 * draw - 1)))
    }
}
