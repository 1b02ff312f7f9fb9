/// A closed set of label values.
package protocol MetricLabelValue: CaseIterable, Hashable, Sendable {
    /// The value of the label in the exposition.
    var metricLabel: String { get }
}

extension MetricLabelValue where Self: RawRepresentable, RawValue == String {
    package var metricLabel: String { rawValue }
}

/// One metric per value of a label, all registered at start so that each shows from zero.
package struct MetricFamily<Value: MetricLabelValue, Metric: Sendable>: Sendable {
    private let metrics: [Value: Metric]

    package init(_ make: (Value) -> Metric) {
        metrics = Dictionary(uniqueKeysWithValues: Value.allCases.map { ($0, make($0)) })
    }

    package subscript(value: Value) -> Metric {
        guard let metric = metrics[value] else {
            preconditionFailure("\(value) is missing from its own allCases")
        }
        return metric
    }
}

extension MetricsRegistry {
    package func counters<Value: MetricLabelValue>(
        _ name: String, _ help: String, by label: String, of type: Value.Type = Value.self
    ) -> MetricFamily<Value, Counter> {
        MetricFamily { counter(name, help, [MetricLabel(label, $0.metricLabel)]) }
    }

    package func gauges<Value: MetricLabelValue>(
        _ name: String, _ help: String, by label: String, of type: Value.Type = Value.self
    ) -> MetricFamily<Value, Gauge> {
        MetricFamily { gauge(name, help, [MetricLabel(label, $0.metricLabel)]) }
    }

    package func histograms<Value: MetricLabelValue>(
        _ name: String, _ help: String, by label: String, of type: Value.Type = Value.self,
        buckets: HistogramBuckets
    ) -> MetricFamily<Value, Histogram> {
        MetricFamily {
            histogram(name, help, [MetricLabel(label, $0.metricLabel)], buckets: buckets)
        }
    }
}
