import Testing

@testable import Metrics

@Suite struct MetricsTests {
    @Test func countersAddUpOverThreads() async {
        let counter = Counter()
        let gauge = Gauge()
        let histogram = Histogram(.tokens)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for value in 0..<10_000 {
                        counter.increment()
                        gauge.add(0.5)
                        histogram.observe(Int64(value))
                    }
                }
            }
        }
        #expect(counter.value == 80_000)
        #expect(gauge.value == 40_000)
        #expect(histogram.snapshot().counts.reduce(0, +) == 80_000)
        #expect(histogram.snapshot().sum == 8 * 49_995_000)
    }

    @Test func boundsAreInclusive() {
        let histogram = Histogram(HistogramBuckets(counts: [1, 5, 10]))
        for value in [-3, 0, 1, 2, 5, 6, 10, 11] as [Int64] { histogram.observe(value) }
        #expect(histogram.snapshot().counts == [3, 2, 2, 1])
        histogram.observe(7, times: 10)
        histogram.observe(7, times: 0)
        #expect(histogram.snapshot().counts == [3, 2, 12, 1])
        #expect(histogram.snapshot().sum == 32 + 70)
    }

    @Test func everyBucketIsFound() {
        let buckets = HistogramBuckets.timeToFirstToken
        for (index, bound) in buckets.bounds.enumerated() {
            let histogram = Histogram(buckets)
            histogram.observe(bound)
            histogram.observe(bound + 1)
            #expect(histogram.snapshot().counts[index] == 1)
            #expect(histogram.snapshot().counts[index + 1] == 1)
        }
    }

    @Test func standardBucketsAreTheDocumentedOnes() {
        #expect(
            HistogramBuckets.timeToFirstToken.labels == [
                "0.001", "0.005", "0.01", "0.02", "0.04", "0.06", "0.08", "0.1", "0.25", "0.5",
                "0.75", "1", "2.5", "5", "7.5", "10", "20", "40", "80", "160", "640", "2560",
            ])
        #expect(HistogramBuckets.timePerOutputToken.bounds.count == 19)
        #expect(HistogramBuckets.requestLatency.bounds.last == 7_680_000_000_000)
        #expect(HistogramBuckets.gatewayDelay.bounds.first == 10_000)
    }

    @Test func gaugesGoUpAndDown() {
        let gauge = Gauge()
        gauge.set(5)
        gauge.increment()
        gauge.decrement()
        gauge.decrement()
        #expect(gauge.value == 4)
        gauge.set(0.5)
        #expect(gauge.value == 0.5)
    }

    @Test func removedSeriesAreGone() {
        let registry = MetricsRegistry()
        for worker in ["a", "b"] {
            registry.gauge("up", "Up.", [MetricLabel("worker", worker)]).set(1)
        }
        registry.counter("only_total", "x", [MetricLabel("worker", "a")])
        registry.remove(MetricLabel("worker", "a"))
        #expect(
            PrometheusText.render(registry)
                == "# HELP up Up.\n# TYPE up gauge\nup{worker=\"b\"} 1\n")
        // The place is free again.
        registry.gauge("up", "Up.", [MetricLabel("worker", "a")])
    }

    @Test func misuseEndsTheProcess() async {
        await #expect(processExitsWith: .failure) {
            MetricsRegistry().counter("requests", "no _total")
        }
        await #expect(processExitsWith: .failure) {
            let registry = MetricsRegistry()
            registry.gauge("g", "x")
            registry.gauge("g", "x")
        }
    }
}
