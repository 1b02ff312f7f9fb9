/// The plots over time, and of distributions.
extension HTMLReport {
    /// Of one run both quantiles have a colour; of several, each run has.
    private func style(run: Int, quantile: Int) -> (color: Int, dash: Int) {
        runs.count == 1
            ? (quantile, quantile) : (run, LinePlot.dash(run: run, line: quantile))
    }

    private func label(_ run: Run, _ words: String) -> String {
        if runs.count == 1 { return words }
        return words.isEmpty ? run.label : "\(run.label), \(words)"
    }

    private typealias TimelineValue = (
        words: String, value: (LoadReport.TimelinePoint) -> Double?
    )

    var timePanels: [Panel] {
        var ends: [TimelineValue] = [("succeeded", { Self.rate($0, $0.succeeded) })]
        if failed { ends.append(("failed or shed", { Self.rate($0, $0.failed) })) }
        return [
            overTime("Output", "tokens per second", [("", { Self.rate($0, $0.tokens) })]),
            overTime("Requests", "per second", ends),
            overTime(
                "Time to first token", "milliseconds",
                [("p50", \.timeToFirstTokenP50), ("p99", \.timeToFirstTokenP99)],
                isLogarithmic: true),
            overTime(
                "Time between tokens", "milliseconds",
                [("p50", \.interTokenLatencyP50), ("p99", \.interTokenLatencyP99)],
                isLogarithmic: true),
            overTime("In flight", "requests at once", [("", { Double($0.inFlight) })]),
            cpuOverTime,
        ].compactMap { $0 }
    }

    private var failed: Bool {
        runs.contains { run in run.report.timeline?.contains { $0.failed > 0 } ?? false }
    }

    /// A stretch far shorter than the others, at the end, says little.
    private static func rate(_ point: LoadReport.TimelinePoint, _ count: Int) -> Double? {
        point.seconds >= 0.5 ? Double(count) / point.seconds : nil
    }

    private func overTime(
        _ title: String, _ unit: String,
        _ values: [TimelineValue], isLogarithmic: Bool = false
    ) -> Panel? {
        var series: [LinePlot.Series] = []
        for (index, run) in runs.enumerated() {
            guard let timeline = run.report.timeline else { continue }
            for (number, (words, value)) in values.enumerated() {
                let style = style(run: index, quantile: number)
                series.append(
                    LinePlot.Series(
                        label: label(run, words), color: style.color, dash: style.dash,
                        points: timeline.map { ($0.start + $0.seconds / 2, value($0)) }))
            }
        }
        return Panel(
            title: title, unit: unit,
            LinePlot(
                description: "\(title), \(unit), over the seconds of the run",
                xTitle: "seconds from the start", series: series, yIsLogarithmic: isLogarithmic),
            hasLegend: runs.count > 1 || values.count > 1)
    }

    private var cpuOverTime: Panel? {
        var series: [LinePlot.Series] = []
        for (index, run) in runs.enumerated() {
            for (number, name) in run.report.processNames.enumerated() {
                let points = (run.report.timeline ?? []).map { point -> (x: Double, y: Double?) in
                    let cores = run.report.cpuSeconds(name, of: point.cpuSeconds).map {
                        $0 / point.seconds
                    }
                    return (point.start + point.seconds / 2, point.seconds < 0.5 ? nil : cores)
                }
                let style = style(run: index, quantile: number)
                series.append(
                    LinePlot.Series(
                        label: label(run, name), color: style.color, dash: style.dash,
                        points: points))
            }
        }
        return Panel(
            title: "CPU of the server", unit: "cores",
            LinePlot(
                description: "Cores that the server used over the seconds of the run",
                xTitle: "seconds from the start", series: series))
    }

    var distributionPanels: [Panel] {
        let latencies:
            [(
                String,
                (LoadReport.CumulativeDistributions) -> LoadReport.CumulativeDistribution?
            )] = [
                ("Time to first token", \.timeToFirstToken),
                ("Time between tokens", \.interTokenLatency),
                ("Time per output token", \.timePerOutputToken), ("End to end", \.endToEnd),
            ]
        return latencies.compactMap { title, member in
            let series = runs.enumerated().compactMap { index, run -> LinePlot.Series? in
                guard let cdf = run.report.cdfs.flatMap(member) else { return nil }
                // Without the shortest of all, which would stretch the axis.
                let points = zip(cdf.milliseconds, cdf.fraction).dropFirst().map { x, y in
                    (x: max(x, 0.001), y: Optional(y * 100))
                }
                return LinePlot.Series(
                    label: run.label, color: index,
                    dash: runs.count == 1 ? 0 : LinePlot.dash(run: index, line: index),
                    points: points)
            }
            return Panel(
                title: title, unit: "% of samples at or below",
                LinePlot(
                    description: "Cumulative distribution of \(title.lowercased())",
                    xTitle: "milliseconds", series: series, xIsLogarithmic: true, yMax: 100),
                hasLegend: runs.count > 1)
        }
    }
}
