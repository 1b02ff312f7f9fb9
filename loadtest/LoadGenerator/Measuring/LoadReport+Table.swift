import Foundation

extension LoadReport {
    /// The report for people.
    package var table: String {
        var lines = [
            "Load        \(load); \(connections) connections, \(decimal(seconds, 2)) s measured",
            "Requests    \(succeeded) ok, \(failed) failed, \(cutOff) cut off at the end; "
                + "\(decimal(requestsPerSecond, 1)) ok/s",
        ]
        if outputDeltas > 0 {
            lines.append(
                "Output      \(decimal(outputTokensPerSecond, 1)) tokens/s "
                    + "(\(outputTokens) tokens in \(outputDeltas) deltas; "
                    + "finish: \(stopped) stop, \(reachedLength) length)")
            lines.append("Input       \(promptTokens) tokens, \(cachedTokens) of them cached")
        }
        lines += latencyLines
        lines += processLines
        for kind in errors.keys.sorted() {
            lines.append("Error       \(errors[kind] ?? 0) x \(kind)")
        }
        if let errorSample { lines.append("            \(errorSample)") }
        for warning in warnings { lines.append("WARNING     \(warning)") }
        return lines.joined(separator: "\n")
    }

    private var latencyLines: [String] {
        let titles = ["mean", "p50", "p90", "p99", "p99.9", "max"]
        var lines = ["ms          " + titles.map { padded($0) }.joined()]
        let rows: [(String, LatencySummary?)] = [
            ("TTFT", timeToFirstToken), ("ITL", interTokenLatency), ("TPOT", timePerOutputToken),
            ("end to end", endToEnd), ("probe TTFT", probe?.timeToFirstToken),
            ("ITL probed", probe?.interTokenLatencyDuring),
            ("ITL rest", probe?.interTokenLatencyOtherwise),
        ]
        for case (let name, let summary?) in rows {
            let values = [
                summary.mean, summary.p50, summary.p90, summary.p99, summary.p999, summary.max,
            ]
            lines.append(
                name + String(repeating: " ", count: max(0, 12 - name.count))
                    + values.map { padded(decimal($0, 2)) }.joined() + "   n=\(summary.count)")
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
        lines.append(
            "Generator   \(decimal(generatorCPUSeconds, 2)) s CPU, \(own) cores" + (delay ?? ""))
        return lines
    }

    private func decimal(_ value: Double, _ digits: Int) -> String {
        value.formatted(
            .number.precision(.fractionLength(digits)).grouping(.never)
                .locale(Locale(identifier: "en_US_POSIX")))
    }

    private func padded(_ text: String) -> String {
        String(repeating: " ", count: max(1, 11 - text.count)) + text
    }
}
