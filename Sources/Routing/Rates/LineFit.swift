package import InferenceTypes

/// A line through observations (x, y), of which older ones count less: least squares over sums that
/// fade with time. Few numbers, whatever the traffic.
package struct LineFit: Hashable, Sendable {
    /// The time in which an observation loses about two thirds of its weight.
    let memoryNanoseconds: Double
    /// The faded number of observations.
    private(set) var count = 0.0
    private var sumX = 0.0
    private var sumY = 0.0
    private var sumXX = 0.0
    private var sumXY = 0.0
    private var last: Instant?

    package init(memoryNanoseconds: Double) {
        precondition(memoryNanoseconds > 0, "memoryNanoseconds: \(memoryNanoseconds)")
        self.memoryNanoseconds = memoryNanoseconds
    }

    package mutating func observe(x: Double, y: Double, now: Instant) {
        let fade = Self.fade(since: last, now: now, memoryNanoseconds: memoryNanoseconds)
        last = now
        count = count * fade + 1
        sumX = sumX * fade + x
        sumY = sumY * fade + y
        sumXX = sumXX * fade + x * x
        sumXY = sumXY * fade + x * y
    }

    /// Nil before the first observation.
    package var meanY: Double? { count > 0 ? sumY / count : nil }
    package var meanX: Double? { count > 0 ? sumX / count : nil }

    /// Slope and value at 0, neither below 0; nil before the first observation.
    ///
    /// Observations that differ little in x say little of the slope: then it is `prior`, or,
    /// without one, that of the line through 0. `strength` is the sum of squared differences of x
    /// that counts as much as the prior.
    package func line(
        prior: Double?, strength: Double
    ) -> (slope: Double, intercept: Double)? {
        guard let meanX, let meanY, meanX > 0 else { return nil }
        // All of y may come from x, but no more.
        let most = meanY / meanX
        let spread = max(0, sumXX - sumX * meanX)
        let joint = sumXY - sumX * meanY
        let slope = (joint + strength * min(prior ?? most, most)) / (spread + strength)
        let clamped = min(max(slope, 0), most)
        // Rounding may leave a little less than nothing.
        return (clamped, max(0, meanY - clamped * meanX))
    }

    /// What is left of a weight. Not an exponential, which is the limit of many small steps of
    /// this: the core has no libm.
    static func fade(since last: Instant?, now: Instant, memoryNanoseconds: Double) -> Double {
        guard let last else { return 1 }
        return memoryNanoseconds
            / (memoryNanoseconds + Double(max(0, now.nanoseconds(since: last))))
    }
}
