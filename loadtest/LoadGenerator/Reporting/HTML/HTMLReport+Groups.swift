/// The plots by tier and by tenant.
extension HTMLReport {
    /// Those with most tokens; more would be no picture.
    private static let groupsMax = 16

    func groupPanels(
        _ member: KeyPath<LoadReport, [LoadReport.Group]?>, of kind: String
    ) -> [Panel] {
        var tokens: [String: Int] = [:]
        for run in runs {
            for group in run.report[keyPath: member] ?? [] {
                tokens[group.name, default: 0] += group.outputTokens
            }
        }
        guard !tokens.isEmpty else { return [] }
        let names = tokens.keys.sorted { (tokens[$0] ?? 0, $1) > (tokens[$1] ?? 0, $0) }
            .prefix(Self.groupsMax)
        let omitted = tokens.count - names.count
        let scope = omitted > 0 ? " (\(omitted) more \(kind)s not shown)" : ""
        let legend =
            runs.count > 1
            ? runs.enumerated().map { Panel.Key(label: $0.element.label, color: $0.offset) } : []

        func rows(_ value: (LoadReport.Group) -> (values: [Double], note: String)?)
            -> [RangePlot.Row]
        {
            names.flatMap { name in
                runs.enumerated().compactMap { index, run -> RangePlot.Row? in
                    let groups = run.report[keyPath: member] ?? []
                    guard let group = groups.first(where: { $0.name == name }),
                        let (values, note) = value(group)
                    else { return nil }
                    return .init(label: name, color: index, values: values, note: note)
                }
            }
        }
        func spans(_ summary: (LoadReport.Group) -> LatencySummary?) -> [RangePlot.Row] {
            rows { group in
                summary(group).map {
                    ([$0.p50, $0.p90, $0.p99].map { max($0, 0.001) }, Decimals.short($0.p99))
                }
            }
        }
        return [
            Panel(
                title: "Output by \(kind)", unit: "tokens per second\(scope)",
                RangePlot(
                    description: "Output tokens per second by \(kind)",
                    xTitle: "tokens per second",
                    rows: rows {
                        ([$0.outputTokensPerSecond], Decimals.short($0.outputTokensPerSecond))
                    }), legend: legend),
            Panel(
                title: "Time to first token by \(kind)", unit: "p50 to p99, stroke at p90\(scope)",
                RangePlot(
                    description: "Time to first token by \(kind), p50, p90 and p99",
                    xTitle: "milliseconds", rows: spans(\.timeToFirstToken), isLogarithmic: true),
                legend: legend),
            Panel(
                title: "Time between tokens by \(kind)", unit: "p50 to p99, stroke at p90\(scope)",
                RangePlot(
                    description: "Time between tokens by \(kind), p50, p90 and p99",
                    xTitle: "milliseconds", rows: spans(\.interTokenLatency), isLogarithmic: true),
                legend: legend),
            Panel(
                title: "Within the objective by \(kind)", unit: "% of requests\(scope)",
                RangePlot(
                    description: "Share of requests within the objective by \(kind)",
                    xTitle: "%",
                    rows: runs.contains { $0.report.goodput != nil }
                        ? rows { group in
                            group.goodFraction.map {
                                ([$0 * 100], Decimals.text($0 * 100, 1))
                            }
                        } : []), legend: legend),
        ].compactMap { $0 }
    }
}
