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
    /// CPU time of the processes of this name for each output token, or for each request of a run
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

    var isLatency: Bool {
        if case .latency = self { true } else { false }
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
                report.cpuSeconds(name, of: report.processes.map(\.cpuSeconds)).flatMap { seconds in
                    let units = report.outputTokens > 0 ? report.outputTokens : report.succeeded
                    return units > 0 ? seconds * 1e6 / Double(units) : nil
                }
            }
        return value.flatMap { $0 > 0 && $0.isFinite ? $0 : nil }
    }
}

extension LoadReport {
    /// Names of the watched processes, each once, in their order.
    var processNames: [String] {
        processes.map(\.name).enumerated().filter { index, name in
            processes.firstIndex { $0.name == name } == index
        }.map(\.element)
    }

    /// Sum over the processes of that name, a server's several; nil where one is not known.
    /// `values`: in the order of `processes`.
    func cpuSeconds(_ name: String, of values: [Double?]?) -> Double? {
        guard let values, values.count == processes.count else { return nil }
        let own = zip(processes, values).filter { $0.0.name == name }.map(\.1)
        let known = own.compactMap(\.self)
        return own.isEmpty || known.count < own.count ? nil : known.reduce(0, +)
    }

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
