/// One page with figures and plots of runs and knee searches: HTML that is well-formed XML, with
/// nothing to fetch and nothing to execute.
package struct HTMLReport {
    package struct Run {
        /// In legends and tables.
        package var label: String
        package var report: LoadReport

        package init(label: String, report: LoadReport) {
            self.label = label
            self.report = report
        }
    }

    package struct Knee {
        package var label: String
        package var report: KneeReport

        package init(label: String, report: KneeReport) {
            self.label = label
            self.report = report
        }
    }

    let title: String
    let runs: [Run]
    let knees: [Knee]

    /// At least one run or knee search.
    package init(title: String, runs: [Run], knees: [Knee] = []) {
        precondition(!runs.isEmpty || !knees.isEmpty, "a report of nothing")
        self.title = title
        self.runs = runs
        self.knees = knees
    }

    package var html: String {
        var sections: [String] = [header]
        if !warnings.isEmpty { sections.append(warningSection) }
        if !runs.isEmpty {
            sections.append(section("Figures", summaryTable + serviceTable + errorList))
        }
        let overLoad = loadPanels
        if !overLoad.isEmpty { sections.append(panelSection("Latency against load", overLoad)) }
        let overTime = timePanels
        if !overTime.isEmpty { sections.append(panelSection("Over time", overTime)) }
        let distributions = distributionPanels
        if !distributions.isEmpty { sections.append(panelSection("Distributions", distributions)) }
        let tiers = groupPanels(\.tiers, of: "tier")
        if !tiers.isEmpty { sections.append(panelSection("Tiers", tiers)) }
        let tenants = groupPanels(\.tenants, of: "tenant")
        if !tenants.isEmpty { sections.append(panelSection("Tenants", tenants)) }
        sections.append(section("Settings", settingsTable))
        return """
            <!DOCTYPE html>
            <html lang="en" xmlns="http://www.w3.org/1999/xhtml"><head><meta charset="utf-8"/>
            <meta name="viewport" content="width=device-width, initial-scale=1"/>
            <title>\(Markup.text(title))</title>
            <style>\(HTMLStyle.text)</style></head>
            <body><main>
            \(sections.joined(separator: "\n"))
            </main></body></html>

            """
    }

    private var header: String {
        let loads =
            runs.map { "\($0.label): \($0.report.load)" }
            + knees.map { "\($0.label): \($0.report.words)" }
        return "<header><h1>\(Markup.text(title))</h1>"
            + loads.map { "<p>\(Markup.text($0))</p>" }.joined() + "</header>"
    }

    // MARK: Sections

    private func section(_ title: String, _ content: String) -> String {
        "<section><h2>\(Markup.text(title))</h2>\(content)</section>"
    }

    private func panelSection(_ title: String, _ panels: [Panel]) -> String {
        section(title, "<div class=\"panels\">\(panels.map(\.html).joined())</div>")
    }

    private var warnings: [(String, String)] {
        runs.flatMap { run in run.report.warnings.map { (run.label, $0) } }
            + knees.flatMap { knee in knee.report.warnings.map { (knee.label, $0) } }
    }

    private var warningSection: String {
        let items = warnings.map { label, warning in
            "<li><strong>\(Markup.text(label))</strong>: \(Markup.text(warning))</li>"
        }
        return "<section class=\"warnings\"><h2>Warnings</h2><ul>\(items.joined())</ul></section>"
    }

    private var summaryTable: String {
        let heads = [
            "run", "s", "ok", "ok/s", "tokens/s", "TTFT p50", "p99", "ITL p50", "p99", "TPOT p50",
            "end to end p50", "p99",
        ]
        let rows = runs.map { run -> [String] in
            let report = run.report
            let cells = [
                run.label, Decimals.short(report.seconds), "\(report.succeeded)",
                Decimals.short(report.requestsPerSecond),
                Decimals.short(report.outputTokensPerSecond),
            ]
            let latencies: [Double?] = [
                report.timeToFirstToken?.p50, report.timeToFirstToken?.p99,
                report.interTokenLatency?.p50, report.interTokenLatency?.p99,
                report.timePerOutputToken?.p50, report.endToEnd?.p50, report.endToEnd?.p99,
            ]
            return cells + latencies.map { $0.map(Decimals.short) ?? "-" }
        }
        return table(heads, rows)
            + "<p class=\"note\">Latencies in milliseconds, counted from the intended start.</p>"
    }

    /// Whom the server served, and how well: what two servers under the same load differ in.
    private var serviceTable: String {
        let heads = [
            "run", "good/s", "good, %", "shed", "failed otherwise", "cut off", "Jain, tokens",
            "Jain, success",
        ]
        let rows = runs.map { run -> [String] in
            let report = run.report
            let (goodput, fairness) = (report.goodput, report.fairness)
            return [
                run.label,
                goodput.map { Decimals.short($0.requestsPerSecond) } ?? "-",
                goodput?.fraction.map { Decimals.text($0 * 100, 1) } ?? "-",
                report.shed.map { "\($0.requests)" } ?? "-",
                "\(report.failed - (report.shed?.requests ?? 0))", "\(report.cutOff)",
                fairness.map { Decimals.text($0.outputTokens, 3) } ?? "-",
                fairness.map { Decimals.text($0.succeeded, 3) } ?? "-",
            ]
        }
        let limits = Set(runs.compactMap { $0.report.goodput?.objective.words }).sorted()
        let good = limits.map { "Good: \($0). " }.joined()
        return table(heads, rows)
            + "<p class=\"note\">\(Markup.text(good))Shed: refused by the server to protect itself."
            + " Jain's index: 1 when all tenants got the same.</p>"
    }

    private var errorList: String {
        let items = runs.flatMap { run in
            run.report.allErrors.map { kind, count in
                "<li>\(Markup.text(run.label)): \(count) × \(Markup.text(kind))</li>"
            }
        }
        return items.isEmpty ? "" : "<ul>\(items.joined())</ul>"
    }

    private var settingsTable: String {
        let columns =
            runs.map { ($0.label, settings($0.report)) }
            + knees.map { ($0.label, $0.report.settings ?? [:]) }
        let names = Set(columns.flatMap { $0.1.keys }).sorted()
        let rows = columns.flatMap { label, values in
            names.compactMap { name in values[name].map { [label, name, $0] } }
        }
        return table(["run", "setting", "value"], rows, isText: true)
    }

    private func settings(_ report: LoadReport) -> [String: String] {
        var settings = report.settings ?? [:]
        settings["load"] = report.load
        settings["connections"] = "\(report.connections)"
        let processes = report.processes.map(\.cpuSeconds)
        for name in report.processNames {
            guard let seconds = report.cpuSeconds(name, of: processes) else { continue }
            settings["CPU of \(name)"] =
                "\(Decimals.text(seconds, 2)) s, "
                + "\(Decimals.text(seconds / max(report.seconds, 1e-9), 2)) cores"
        }
        settings["CPU of the generator"] =
            "\(Decimals.text(report.generatorCPUSeconds, 2)) s, "
            + "\(Decimals.text(report.generatorCPUSeconds / max(report.seconds, 1e-9), 2)) cores"
        return settings
    }

    private func table(_ heads: [String], _ rows: [[String]], isText: Bool = false) -> String {
        let head = heads.map { "<th scope=\"col\">\(Markup.text($0))</th>" }.joined()
        let body = rows.map { cells in
            let first = cells.first.map { "<th scope=\"row\">\(Markup.text($0))</th>" } ?? ""
            let rest = cells.dropFirst().map { "<td>\(Markup.text($0))</td>" }
            return "<tr>\(first)\(rest.joined())</tr>"
        }
        return "<div class=\"table\"><table class=\"\(isText ? "text" : "figures")\">"
            + "<thead><tr>\(head)</tr></thead><tbody>\(body.joined())</tbody></table></div>"
    }
}
