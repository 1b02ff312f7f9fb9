/// Prometheus text exposition format 0.0.4
/// (prometheus.io/docs/instrumenting/exposition_formats).
package enum PrometheusText {
    /// For the answer's `content-type`.
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// The whole registry. Any thread; takes the registration lock for a moment.
    package static func render(_ registry: MetricsRegistry) -> String {
        var text = ""
        for family in registry.families() {
            text += "# HELP \(family.name) \(escapedHelp(family.help))\n"
            text += "# TYPE \(family.name) \(family.type)\n"
            for series in family.series { append(series, of: family.name, to: &text) }
        }
        return text
    }

    private static func append(
        _ series: MetricsRegistry.Series, of name: String, to text: inout String
    ) {
        switch series.source {
        case .counter(let counter):
            text += "\(name)\(block(series.labels)) \(counter.value)\n"
        case .gauge(let gauge):
            text += "\(name)\(block(series.labels)) \(number(gauge.value))\n"
        case .computed(let value):
            text += "\(name)\(block(series.labels)) \(number(value()))\n"
        case .computedSeries(let all):
            for one in all() {
                text += "\(name)\(block(one.labels)) \(number(one.value))\n"
            }
        case .histogram(let histogram):
            append(histogram, name, series.labels, to: &text)
        }
    }

    private static func append(
        _ histogram: Histogram, _ name: String, _ labels: [MetricLabel], to text: inout String
    ) {
        let (counts, sum) = histogram.snapshot()
        var cumulative: UInt64 = 0
        for (count, bound) in zip(counts, histogram.buckets.labels + ["+Inf"]) {
            cumulative += count
            let block = block(labels + [MetricLabel("le", bound)])
            text += "\(name)_bucket\(block) \(cumulative)\n"
        }
        let base = Double(sum) / histogram.buckets.scale
        text += "\(name)_sum\(block(labels)) \(number(base))\n"
        text += "\(name)_count\(block(labels)) \(cumulative)\n"
    }

    private static func block(_ labels: [MetricLabel]) -> String {
        guard !labels.isEmpty else { return "" }
        let pairs = labels.map { "\($0.name)=\"\(escapedValue($0.value))\"" }
        return "{" + pairs.joined(separator: ",") + "}"
    }

    /// Shortest text that reads back as the same Double, whole numbers without a fraction.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        if let whole = Int64(exactly: value), whole.magnitude < 1 << 53 { return String(whole) }
        return value.description
    }

    private static func escapedHelp(_ text: String) -> String {
        escaped(text, quotes: false)
    }

    private static func escapedValue(_ text: String) -> String {
        escaped(text, quotes: true)
    }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quotes: result += "\\\""
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// `[a-zA-Z_:][a-zA-Z0-9_:]*`
    static func isMetricName(_ name: String) -> Bool {
        isName(name) { $0 == UInt8(ascii: ":") }
    }

    /// `[a-zA-Z_][a-zA-Z0-9_]*`; names that start with two underscores are Prometheus's own.
    static func isLabelName(_ name: String) -> Bool {
        !name.hasPrefix("__") && isName(name) { _ in false }
    }

    private static func isName(_ name: String, or extra: (UInt8) -> Bool) -> Bool {
        guard let first = name.utf8.first, !(0x30...0x39).contains(first) else { return false }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                true
            default: extra(byte)
            }
        }
    }
}
