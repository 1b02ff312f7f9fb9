/// A figure in which two sides are compared.
package enum ComparedMetric: Sendable, Hashable {
    package enum Latency: String, Sendable, CaseIterable {
        case timeToFirstToken = "TTFT"
        case interTokenLatency = "ITL"
        case timePerOutputToken = "TPOT"
        case endToEnd = "e2e"
    }

    package enum Quantile: Double, Sendable, CaseIterable {
        case p50 = 0.5
        case p90 = 0.9
        case p99 = 0.99
    }

    case requestsPerSecond
    case outputTokensPerSecond
    case goodputPerSecond
    case latency(Latency, Quantile)
    /// CPU time of the process of this name for each output token, or for each request of a run
    /// without tokens.
    case cpuPerUnit(String)

    package var name: String {
        switch self {
        case .requestsPerSecond: "requests/s"
        case .outputTokensPerSecond: "output tokens/s"
        case .goodputPerSecond: "goodput/s"
        case .latency(let latency, let quantile):
            "\(latency.rawValue) p\(Int(quantile.rawValue * 100)), ms"
        case .cpuPerUnit(let process): "CPU \(process), us each"
        }
    }

    package var higherIsBetter: Bool {
        switch self {
        case .requestsPerSecond, .outputTokensPerSecond, .goodputPerSecond: true
        case .latency, .cpuPerUnit: false
        }
    }

    /// Of a whole run, from the report's own figures; nil where it has none, or zero.
    func value(_ report: LoadReport) -> Double? {
        let value: Double? =
            switch self {
            case .requestsPerSecond: report.requestsPerSecond
            case .outputTokensPerSecond: report.outputTokensPerSecond
            case .goodputPerSecond: report.goodput?.requestsPerSecond
            case .latency(let latency, let quantile): report.summary(latency)?.value(quantile)
            case .cpuPerUnit(let name):
                report.processes.first { $0.name == name }?.cpuSeconds.flatMap { seconds in
                    let units = report.outputTokens > 0 ? report.outputTokens : report.succeeded
                    return units > 0 ? seconds * 1e6 / Double(units) : nil
                }
            }
        return value.flatMap { $0 > 0 && $0.isFinite ? $0 : nil }
    }
}

extension LoadReport {
    func summary(_ latency: ComparedMetric.Latency) -> LatencySummary? {
        switch latency {
        case .timeToFirstToken: timeToFirstToken
        case .interTokenLatency: interTokenLatency
        case .timePerOutputToken: timePerOutputToken
        case .endToEnd: endToEnd
        }
    }
}

extension LoadReport.Block {
    func histogram(_ latency: ComparedMetric.Latency) -> SparseHistogram {
        switch latency {
        case .timeToFirstToken: timeToFirstToken
        case .interTokenLatency: interTokenLatency
        case .timePerOutputToken: timePerOutputToken
        case .endToEnd: endToEnd
        }
    }
}

extension LatencySummary {
    func value(_ quantile: ComparedMetric.Quantile) -> Double {
        switch quantile {
        case .p50: p50
        case .p90: p90
        case .p99: p99
        }
    }
}
