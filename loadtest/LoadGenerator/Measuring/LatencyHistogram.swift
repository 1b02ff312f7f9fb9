import Histogram

/// Latencies in steps of 0.5 us below 1 ms and of 0.1 % above, which makes three significant digits
/// from half a millisecond on, to an hour (longer ones count as an hour). Nanoseconds in,
/// percentiles in nanoseconds out. Grows with what it is told, to 180 KiB.
package struct LatencyHistogram: Sendable {
    package static let longest: UInt64 = 3_600_000_000_000
    /// What it has room for at first, ns.
    private static let expected: UInt64 = 30_000_000

    private var histogram: Histogram<UInt64>
    private var sum = 0.0

    package init() {
        histogram = Histogram<UInt64>(
            lowestDiscernibleValue: 1_000, highestTrackableValue: Self.expected,
            numberOfSignificantValueDigits: .three)
        histogram.autoResize = true
    }

    package var count: UInt64 { histogram.totalCount }

    package mutating func record(_ nanoseconds: UInt64) {
        let value = Swift.min(nanoseconds, Self.longest)
        histogram.record(value)
        sum += Double(value)
    }

    package mutating func add(_ other: LatencyHistogram) {
        guard other.count > 0 else { return }
        histogram.add(other.histogram)
        sum += other.sum
    }

    /// Forgets everything and keeps its memory.
    package mutating func reset() {
        guard count > 0 else { return }
        histogram.reset()
        sum = 0
    }

    /// nil without samples. The value is at most 0.1 %, or 0.5 us, above the
    /// sample's.
    package func percentile(_ percentile: Double) -> UInt64? {
        count == 0 ? nil : histogram.valueAtPercentile(percentile)
    }

    package var mean: Double? { count == 0 ? nil : sum / Double(count) }
    package var max: UInt64? { count == 0 ? nil : histogram.max }

    package var sparse: SparseHistogram {
        SparseHistogram(
            ascending: histogram.recordedValues().lazy.map { entry in
                let middle = histogram.medianEquivalentForValue(entry.value)
                return .init(microseconds: (middle + 500) / 1_000, count: entry.count)
            })
    }

    /// What reports show.
    package var summary: LatencySummary? {
        guard let mean, let max, let p50 = percentile(50), let p90 = percentile(90),
            let p99 = percentile(99), let p999 = percentile(99.9)
        else { return nil }
        return LatencySummary(
            count: count, mean: mean / 1e6, p50: Double(p50) / 1e6, p90: Double(p90) / 1e6,
            p99: Double(p99) / 1e6, p999: Double(p999) / 1e6, max: Double(max) / 1e6)
    }
}

/// A distribution in milliseconds, as the JSON report has it.
package struct LatencySummary: Sendable, Equatable, Codable {
    package var count: UInt64
    package var mean: Double
    package var p50: Double
    package var p90: Double
    package var p99: Double
    package var p999: Double
    package var max: Double
}
