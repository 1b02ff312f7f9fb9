extension LoadReport {
    /// The report for people.
    package var table: String {
        var lines = [
            "Load        \(load); \(connections) connections, \(decimal(seconds, 2)) s measured",
            requestLine,
        ]
        if outputDeltas > 0 {
            lines.append(
                "Output      \(decimal(outputTokensPerSecond, 1)) tokens/s "
                    + "(\(outputTokens) tokens in \(outputDeltas) deltas; "
                    + "finish: \(stopped) stop, \(reachedLength) length)")
            lines.append("Input       \(promptTokens) tokens, \(cachedTokens) of them cached")
        }
        lines += objectiveLines
        lines += latencyLines
        lines += groupLines
        lines += processLines
        for (kind, count) in allErrors { lines.append("Error       \(count) x \(kind)") }
        if let errorSample { lines.append("            \(errorSample)") }
        for warning in warnings { lines.append("WARNING     \(warning)") }
        return lines.joined(separator: "\n")
    }

    private var requestLine: String {
        var line = "Requests    \(succeeded) ok, \(failed - (shed?.requests ?? 0)) failed, "
        if let shed, shed.requests > 0 { line += "\(shed.requests) shed, " }
        if let cancelled, cancelled > 0 { line += "\(cancelled) cancelled, " }
        return line + "\(cutOff) cut off at the end; \(decimal(requestsPerSecond, 1)) ok/s"
    }

    private var objectiveLines: [String] {
        var lines: [String] = []
        if let goodput {
            lines.append(
                "Goodput     \(goodput.fraction.map { decimal($0 * 100, 1) } ?? "-") % "
                    + "(\(goodput.met) of \(goodput.judged)), "
                    + "\(decimal(goodput.requestsPerSecond, 2))/s within "
                    + goodput.objective.words)
        }
        if let fairness {
            lines.append(
                "Fairness    \(decimal(fairness.outputTokens, 3)) by output tokens, "
                    + "\(decimal(fairness.succeeded, 3)) by share of success "
                    + "(Jain, \(fairness.tenants) tenants)")
        }
        return lines
    }

    /// A line for each tier, tenant and class, where a run has several.
    private var groupLines: [String] {
        let kinds = [("tier", tiers), ("tenant", tenants), ("class", classes)]
        let shown = kinds.compactMap { title, groups in
            groups.flatMap { $0.count > 1 ? (title, $0) : nil }
        }
        var lines: [String] = []
        for (title, groups) in shown {
            let width = max(12, (groups.map(\.name.count).max() ?? 0) + 1)
            let titles = [
                "ok", "failed", "shed", "tokens/s", "good %", "TTFT p50", "p99", "ITL p50", "p99",
            ]
            lines.append(
                title.filled(width) + titles.map { $0.padded(9) }.joined())
            for group in groups {
                let figures: [Double?] = [
                    group.outputTokensPerSecond,
                    group.goodFraction.map { $0 * 100 },
                    group.timeToFirstToken?.p50, group.timeToFirstToken?.p99,
                    group.interTokenLatency?.p50, group.interTokenLatency?.p99,
                ]
                let counts = [group.succeeded, group.failed - group.shed, group.shed]
                lines.append(
                    group.name.filled(width) + counts.map { "\($0)".padded(9) }.joined()
                        + figures.map { ($0.map { decimal($0, 1) } ?? "-").padded(9) }.joined())
            }
        }
        return lines
    }

    private var latencyLines: [String] {
        let titles = ["mean", "p50", "p90", "p99", "p99.9", "max"]
        var lines = ["ms".filled(12) + titles.map { $0.padded(11) }.joined()]
        let rows: [(String, LatencySummary?)] = [
            ("TTFT", timeToFirstToken), ("ITL", interTokenLatency), ("TPOT", timePerOutputToken),
            ("end to end", endToEnd), ("queue", queueDelay),
            ("probe TTFT", probe?.timeToFirstToken),
            ("ITL probed", probe?.interTokenLatencyDuring),
            ("ITL rest", probe?.interTokenLatencyOtherwise),
        ]
        for case (let name, let summary?) in rows {
            let values = [
                summary.mean, summary.p50, summary.p90, summary.p99, summary.p999, summary.max,
            ]
            lines.append(
                name.filled(12) + values.map { decimal($0, 2).padded(11) }.joined()
                    + "   n=\(summary.count)")
        }
        return lines
    }

    private var processLines: [String] {
        var lines: [String] = []
        for process in processes {
            guard let cpu = process.cpuSeconds else { continue }
            var line = "CPU         \(process.name) (\(process.pid)): \(decimal(cpu, 2)) s, "
            line += "\(decimal(cpu / seconds, 2)) cores"
            if outputTokens > 0 {
                line += ", \(decimal(cpu * 1e6 / Double(outputTokens), 2)) us/token"
            } else if succeeded > 0 {
                line += ", \(decimal(cpu * 1e6 / Double(succeeded), 2)) us/request"
            }
            if let resident = process.residentBytes { line += ", \(resident >> 20) MiB resident" }
            lines.append(line)
        }
        let own = decimal(generatorCPUSeconds / seconds, 2)
        let delay = generatorTimerDelay.map { ", timer late by \(decimal($0.p99, 2)) ms at p99" }
        let late = saturation?.sendDelay.map { ", sends by \(decimal($0.p99, 2)) ms" }
        lines.append(
            "Generator   \(decimal(generatorCPUSeconds, 2)) s CPU, \(own) cores" + (delay ?? "")
                + (late ?? ""))
        return lines
    }

    private func decimal(_ value: Double, _ digits: Int) -> String {
        Decimals.text(value, digits)
    }

    /// By kind; those of the measured requests first.
    var allErrors: [(kind: String, count: Int)] {
        [errors, otherErrors ?? [:]].flatMap { kinds in
            kinds.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        }
    }
}

extension String {
    /// As a column, at its left.
    func filled(_ width: Int) -> String {
        self + String(repeating: " ", count: max(1, width - count))
    }

    /// As a column, at its right.
    func padded(_ width: Int) -> String {
        String(repeating: " ", count: max(1, width - count)) + self
    }
}
