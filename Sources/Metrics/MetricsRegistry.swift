import Synchronization

/// A label of a metric; both parts from closed sets, never from user input.
package struct MetricLabel: Hashable, Sendable {
    package var name: String
    package var value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// All metrics of a program, in the order of their registration.
///
/// The lock guards the list only: it is taken to register and to scrape, never to count.
package final class MetricsRegistry: Sendable {
    enum Source: Sendable {
        case counter(Counter)
        case gauge(Gauge)
        case histogram(Histogram)
        /// Computed at each scrape, on the scraping thread.
        case computed(@Sendable () -> Double)
        /// Series that come and go, computed at each scrape.
        case computedSeries(@Sendable () -> [ComputedSeries])

        var type: String {
            switch self {
            case .counter: "counter"
            case .gauge, .computed, .computedSeries: "gauge"
            case .histogram: "histogram"
            }
        }
    }

    struct Series: Sendable {
        var labels: [MetricLabel]
        var source: Source
    }

    struct Family: Sendable {
        var name: String
        var help: String
        var type: String
        var series: [Series]
    }

    /// Series of one registry, against runaway labels. Registering beyond it ends the process.
    package static let seriesLimit = 10_000

    private struct State {
        var families: [Family] = []
        var seriesCount = 0
    }

    private let state = Mutex(State())

    package init() {}

    /// Registers and returns a counter. The name ends in `_total`. `showing` registers one that
    /// exists already under a further name.
    @discardableResult
    package func counter(
        _ name: String, _ help: String, _ labels: [MetricLabel] = [],
        showing counter: Counter = Counter()
    ) -> Counter {
        precondition(name.hasSuffix("_total"), "counter \(name) must end in _total")
        add(name, help, labels, .counter(counter))
        return counter
    }

    @discardableResult
    package func gauge(
        _ name: String, _ help: String, _ labels: [MetricLabel] = [],
        showing gauge: Gauge = Gauge()
    ) -> Gauge {
        add(name, help, labels, .gauge(gauge))
        return gauge
    }

    /// Registers a gauge whose value is asked for at each scrape. `value` must be cheap and may run
    /// on any thread.
    package func gauge(
        _ name: String, _ help: String, _ labels: [MetricLabel] = [],
        computedBy value: @escaping @Sendable () -> Double
    ) {
        add(name, help, labels, .computed(value))
    }

    /// One series of a family whose labels change while the program runs.
    package struct ComputedSeries: Sendable {
        package var labels: [MetricLabel]
        package var value: Double

        package init(_ labels: [MetricLabel], _ value: Double) {
            self.labels = labels
            self.value = value
        }
    }

    /// Registers a family of gauges whose series are asked for at each scrape: one for each thing
    /// that is there at the moment. `series` must be cheap, return a bounded number of series with
    /// different labels, and may run on any thread.
    package func gauges(
        _ name: String, _ help: String,
        computedBy series: @escaping @Sendable () -> [ComputedSeries]
    ) {
        add(name, help, [], .computedSeries(series))
    }

    @discardableResult
    package func histogram(
        _ name: String, _ help: String, _ labels: [MetricLabel] = [],
        buckets: HistogramBuckets
    ) -> Histogram {
        let histogram = Histogram(buckets)
        add(name, help, labels, .histogram(histogram))
        return histogram
    }

    /// Shows a histogram under another name too.
    package func histogram(
        _ name: String, _ help: String, _ labels: [MetricLabel] = [], showing histogram: Histogram
    ) {
        add(name, help, labels, .histogram(histogram))
    }

    /// Takes every series with this label out, for one whose subject is gone (a worker).
    package func remove(_ label: MetricLabel) {
        state.withLock { state in
            for index in state.families.indices {
                state.families[index].series.removeAll { $0.labels.contains(label) }
            }
            state.families.removeAll { $0.series.isEmpty }
            state.seriesCount = state.families.reduce(0) { $0 + $1.series.count }
        }
    }

    /// The families as they are now; values are read by whoever renders them.
    func families() -> [Family] {
        state.withLock { $0.families }
    }

    private func add(_ name: String, _ help: String, _ labels: [MetricLabel], _ source: Source) {
        precondition(PrometheusText.isMetricName(name), "metric name \(name)")
        for label in labels {
            precondition(
                PrometheusText.isLabelName(label.name) && label.name != "le",
                "label name \(label.name)")
        }
        state.withLock { state in
            precondition(state.seriesCount < Self.seriesLimit, "too many series")
            state.seriesCount += 1
            let series = Series(labels: labels, source: source)
            guard let index = state.families.firstIndex(where: { $0.name == name }) else {
                let family = Family(name: name, help: help, type: source.type, series: [series])
                state.families.append(family)
                return
            }
            precondition(state.families[index].type == source.type, "two types of \(name)")
            let isNew = state.families[index].series.allSatisfy { Set($0.labels) != Set(labels) }
            precondition(isNew, "\(name) is registered twice with the same labels")
            state.families[index].series.append(series)
        }
    }
}
