import Testing

@testable import Metrics

@Suite struct PrometheusTextTests {
    enum Outcome: String, MetricLabelValue {
        case admitted, refused
    }

    @Test func rendersEveryType() {
        let registry = MetricsRegistry()
        let outcomes = registry.counters(
            "admit_total", "Requests\nby \\outcome.", by: "outcome", of: Outcome.self)
        outcomes[.refused].increment(by: 3)
        registry.gauge("depth", "Waiting.").set(2)
        registry.gauge("usage", "Share.", [MetricLabel("worker", "a\"b\\c\nd")]) { 0.25 }
        let histogram = registry.histogram(
            "wait_seconds", "Waits.", [MetricLabel("tier", "batch")],
            buckets: HistogramBuckets(seconds: [0.001, 1]))
        histogram.observe(1_000_000)
        histogram.observe(1_000_001)
        histogram.observe(2_000_000_000)
        registry.histogram("alias_seconds", "The same.", showing: histogram)
        #expect(
            PrometheusText.render(registry) == #"""
                # HELP admit_total Requests\nby \\outcome.
                # TYPE admit_total counter
                admit_total{outcome="admitted"} 0
                admit_total{outcome="refused"} 3
                # HELP depth Waiting.
                # TYPE depth gauge
                depth 2
                # HELP usage Share.
                # TYPE usage gauge
                usage{worker="a\"b\\c\nd"} 0.25
                # HELP wait_seconds Waits.
                # TYPE wait_seconds histogram
                wait_seconds_bucket{tier="batch",le="0.001"} 1
                wait_seconds_bucket{tier="batch",le="1"} 2
                wait_seconds_bucket{tier="batch",le="+Inf"} 3
                wait_seconds_sum{tier="batch"} 2.002000001
                wait_seconds_count{tier="batch"} 3
                # HELP alias_seconds The same.
                # TYPE alias_seconds histogram
                alias_seconds_bucket{le="0.001"} 1
                alias_seconds_bucket{le="1"} 2
                alias_seconds_bucket{le="+Inf"} 3
                alias_seconds_sum 2.002000001
                alias_seconds_count 3

                """#)
    }

    @Test func whatIsRenderedParsesStrictly() throws {
        let registry = MetricsRegistry()
        let outcomes = registry.counters("a:b_total", "x", by: "outcome", of: Outcome.self)
        outcomes[.admitted].increment()
        registry.gauge("g", "", [MetricLabel("l", "\\\"\n,}{= é")]).set(-0.5)
        registry.gauge("nan", "n") { .nan }
        registry.gauge("inf", "n") { -.infinity }
        let standard: [(String, HistogramBuckets)] = [
            ("ttft", .timeToFirstToken), ("tpot", .timePerOutputToken), ("e2e", .requestLatency),
            ("gateway", .gatewayDelay), ("tokens", .tokens), ("batch", .batchSize),
        ]
        for (name, buckets) in standard {
            let histogram = registry.histogram(name, "h", buckets: buckets)
            for value in [0, 1, 999, 1_000_000, 50_000_000_000, Int64.max / 8] {
                histogram.observe(value)
            }
        }
        let exposition = try Exposition(parsing: PrometheusText.render(registry))
        #expect(exposition.types["a:b_total"] == "counter")
        #expect(exposition.value("a:b_total", ["outcome": "admitted"]) == 1)
        #expect(exposition.value("g", ["l": "\\\"\n,}{= é"]) == -0.5)
        #expect(exposition.value("nan", [:])?.isNaN == true)
        #expect(exposition.value("inf", [:]) == -.infinity)
        for (name, buckets) in standard {
            try exposition.checkHistogram(name, bucketCount: buckets.bounds.count + 1)
            #expect(exposition.value(name + "_count", [:]) == 6)
        }
        #expect(exposition.value("ttft_bucket", ["le": "2560"]) == 5)
        #expect(exposition.value("ttft_bucket", ["le": "0.001"]) == 4)
    }

    @Test func numbersReadBack() {
        for (value, text) in [
            (0.0, "0"), (1.0, "1"), (-3.0, "-3"), (0.1, "0.1"), (1e-5, "1e-05"),
            (1e300, "1e+300"), (7_680.0, "7680"),
        ] {
            #expect(PrometheusText.number(value) == text)
            #expect(Double(text) == value)
        }
    }

    @Test func namesAreChecked() {
        for name in ["a", "a:b", "_x9", "vllm:num_requests_waiting"] {
            #expect(PrometheusText.isMetricName(name))
        }
        for name in ["", "9a", "a-b", "a b", "é"] { #expect(!PrometheusText.isMetricName(name)) }
        #expect(PrometheusText.isLabelName("tier"))
        for name in ["", "a:b", "__name__", "1"] { #expect(!PrometheusText.isLabelName(name)) }
    }
}
