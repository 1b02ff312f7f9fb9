/// The plots over offered load: of knee searches, or of open-loop runs at different rates.
extension HTMLReport {
    private struct Curve {
        var label: String
        var points: [KneeReport.Point]
        var knee: Double?
        var kneeLabel: String
        var objective: ServiceLevelObjective?
    }

    /// Without an objective the knee is where TTFT p99 is beyond so many times the lowest load's.
    private static let kneeFactor = 2.0

    private var curves: [Curve] {
        let searched = knees.map { knee in
            Curve(
                label: knee.label, points: Self.byRate(knee.report.points),
                knee: knee.report.kneeRate,
                kneeLabel: "knee \(Decimals.short(knee.report.kneeRate ?? 0))/s",
                objective: knee.report.objective)
        }
        return searched + [curveOfRuns].compactMap { $0 }
    }

    private static func byRate(_ points: [KneeReport.Point]) -> [KneeReport.Point] {
        points.enumerated().sorted {
            ($0.element.rate, $0.offset) < ($1.element.rate, $1.offset)
        }.map(\.element)
    }

    /// nil: the runs are not of different loads.
    private var curveOfRuns: Curve? {
        let points = runs.compactMap { run -> KneeReport.Point? in
            guard run.report.isOpenLoop == true, let sent = run.report.sent else { return nil }
            return .init(run.report, rate: Double(sent) / max(run.report.seconds, 1e-9))
        }
        guard points.count >= 3, let low = points.map(\.rate).min(),
            let high = points.map(\.rate).max(), high > low * 1.2
        else { return nil }
        let ordered = Self.byRate(points)
        let first = ordered.first?.timeToFirstToken?.p99
        let isWithin = { (point: KneeReport.Point) -> Bool in
            guard let first, let p99 = point.timeToFirstToken?.p99 else { return false }
            return p99 <= first * Self.kneeFactor
        }
        let within = ordered.prefix { isWithin($0) }
        let isFound = within.count < ordered.count
        return Curve(
            label: "runs", points: ordered, knee: isFound ? within.last?.rate : nil,
            kneeLabel: "knee: beyond it TTFT p99 doubles", objective: nil)
    }

    var loadPanels: [Panel] {
        let curves = self.curves
        guard !curves.isEmpty else { return [] }
        return [
            latency(
                "Time to first token", curves, \.timeToFirstToken,
                limit: curves.compactMap { $0.objective?.timeToFirstToken }.first),
            latency(
                "Time between tokens", curves, \.interTokenLatency,
                limit: curves.compactMap { $0.objective?.interTokenLatency }.first),
            overLoad(
                "Within the objective", "% of requests", curves,
                [("", { $0.goodFraction.map { $0 * 100 } })], yMax: 100),
            overLoad(
                "Output", "tokens per second", curves, [("", { $0.outputTokensPerSecond })]),
        ].compactMap { $0 }
    }

    /// A rate that was measured more than once has the mean of what it gave.
    private static func means(
        _ points: [KneeReport.Point], _ value: (KneeReport.Point) -> Double?
    ) -> [(x: Double, y: Double?)] {
        var places: [(x: Double, values: [Double])] = []
        for point in points {
            if places.last?.x != point.rate { places.append((point.rate, [])) }
            if let value = value(point) { places[places.count - 1].values.append(value) }
        }
        return places.map { ($0.x, $0.values.isEmpty ? nil : Statistics.mean($0.values)) }
    }

    private func latency(
        _ title: String, _ curves: [Curve],
        _ member: @escaping (KneeReport.Point) -> LatencySummary?,
        limit: Double?
    ) -> Panel? {
        let marks = limit.map {
            LinePlot.Mark(
                value: $0, label: "limit \(Decimals.short($0)) ms", isVertical: false, color: nil)
        }
        return overLoad(
            title, "milliseconds", curves,
            [("p50", { member($0)?.p50 }), ("p99", { member($0)?.p99 })], isLogarithmic: true,
            marks: [marks].compactMap { $0 })
    }

    private func overLoad(
        _ title: String, _ unit: String, _ curves: [Curve],
        _ values: [(String, (KneeReport.Point) -> Double?)], isLogarithmic: Bool = false,
        yMax: Double? = nil, marks: [LinePlot.Mark] = []
    ) -> Panel? {
        var series: [LinePlot.Series] = []
        for (index, curve) in curves.enumerated() {
            for (number, (words, value)) in values.enumerated() {
                let isOne = curves.count == 1
                let parts = (isOne ? [] : [curve.label]) + (words.isEmpty ? [] : [words])
                series.append(
                    LinePlot.Series(
                        label: parts.isEmpty ? curve.label : parts.joined(separator: ", "),
                        color: isOne ? number : index,
                        dash: LinePlot.dash(run: index, line: number),
                        points: Self.means(curve.points, value), hasDots: true))
            }
        }
        let knees = curves.enumerated().compactMap { index, curve in
            curve.knee.map {
                LinePlot.Mark(
                    value: $0,
                    label: curves.count == 1
                        ? curve.kneeLabel : "\(curve.label): \(curve.kneeLabel)",
                    isVertical: true, color: curves.count == 1 ? nil : index)
            }
        }
        return Panel(
            title: title, unit: unit,
            LinePlot(
                description: "\(title), \(unit), against requests offered per second",
                xTitle: "requests offered per second", series: series, marks: marks + knees,
                yIsLogarithmic: isLogarithmic, yMax: yMax),
            hasLegend: series.count > 1)
    }
}
