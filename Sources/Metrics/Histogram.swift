import Synchronization

/// Upper bounds of a histogram's buckets, and the unit that observations are counted in.
///
/// Observations are integers (nanoseconds, tokens), so that sums are exact and observing needs no
/// floating point; `scale` turns them into the base unit that is shown.
package struct HistogramBuckets: Hashable, Sendable {
    /// Most bounds that a histogram can have, `+Inf` not counted.
    package static let limit = 31

    /// Inclusive, ascending, in observed units.
    package let bounds: [Int64]
    /// The bounds as they are shown, in the base unit.
    package let labels: [String]
    /// Observed units per base unit.
    package let scale: Double

    /// Bounds in seconds for observations in nanoseconds.
    package init(seconds: [Double]) {
        self.init(bounds: seconds.map { Int64(($0 * 1e9).rounded()) }, shown: seconds, scale: 1e9)
    }

    /// Bounds of plain counts.
    package init(counts: [Int64]) {
        self.init(bounds: counts, shown: counts.map(Double.init), scale: 1)
    }

    private init(bounds: [Int64], shown: [Double], scale: Double) {
        precondition((1...Self.limit).contains(bounds.count), "\(bounds.count) buckets")
        precondition(
            zip(bounds, bounds.dropFirst()).allSatisfy(<), "bucket bounds must ascend")
        self.bounds = bounds
        self.labels = shown.map(PrometheusText.number)
        self.scale = scale
    }
}

/// Counts observations by size. Any thread may observe: two relaxed atomic additions.
///
/// A scrape may see an observation's bucket and not yet its sum; both are there at the next one.
package final class Histogram: Sendable {
    package let buckets: HistogramBuckets
    /// Observations per bucket, not cumulative; the one after the last bound is `+Inf`'s.
    private let cells: InlineArray<32, Atomic<UInt64>>
    private let total = Atomic<Int64>(0)

    package init(_ buckets: HistogramBuckets) {
        self.buckets = buckets
        cells = InlineArray { _ in Atomic(0) }
    }

    /// `value` is in observed units: nanoseconds for time, a plain number for counts.
    package func observe(_ value: Int64) {
        cells[index(of: value)].wrappingAdd(1, ordering: .relaxed)
        total.wrappingAdd(value, ordering: .relaxed)
    }

    /// Observes the same value `times` times at once.
    package func observe(_ value: Int64, times: Int) {
        guard times > 0 else { return }
        cells[index(of: value)].wrappingAdd(UInt64(times), ordering: .relaxed)
        total.wrappingAdd(value &* Int64(times), ordering: .relaxed)
    }

    /// The first bucket whose bound is not below the value.
    private func index(of value: Int64) -> Int {
        let bounds = buckets.bounds
        var low = 0
        var high = bounds.count
        while low < high {
            let middle = (low + high) / 2
            if bounds[middle] < value { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Counts per bucket, `+Inf` last, and the sum in observed units.
    package func snapshot() -> (counts: [UInt64], sum: Int64) {
        let counts = (0...buckets.bounds.count).map { cells[$0].load(ordering: .relaxed) }
        return (counts, total.load(ordering: .relaxed))
    }
}
