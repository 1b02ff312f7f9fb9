import Foundation

/// Two sides of one or several rounds each, figure by figure.
///
/// A side's figure is the geometric mean of its rounds'. Its variance (of the logarithm) comes
/// from the differences between rounds, but is never taken for less than what each round's own
/// blocks show (`BlockBootstrap`); a single round has its blocks only. The ratio's 95 % interval
/// is Welch's: Student's t with the degrees of freedom that both variances have together.
package struct Comparison: Sendable, Codable, Equatable {
    package enum Verdict: String, Sendable, Codable {
        case better, worse
        /// The interval contains 1, or the difference is within what histograms tell apart.
        case noise
        /// There is one round without blocks on some side: no interval.
        case unknown
    }

    package struct Row: Sendable, Codable, Equatable {
        package var metric: String
        package var left: Double
        package var right: Double
        /// Right over left.
        package var ratio: Double
        package var low: Double?
        package var high: Double?
        package var verdict: Verdict
    }

    /// Smaller differences of ratios from 1 are within the histograms' resolution, and so are those
    /// of latencies up to a microsecond, in which blocks and reports have them.
    package static let resolution = 0.002
    package static let resolutionMilliseconds = 0.001

    package var leftRounds: Int
    package var rightRounds: Int
    package var rows: [Row]
    /// Figures that some rounds have and others lack, or have as 0: no ratio can be told.
    package var notCompared: [String]
    /// The rounds' own reasons to distrust them.
    package var warnings: [String]

    /// Each side has a round at least.
    package init(left: [LoadReport], right: [LoadReport], seed: UInt64 = 1) {
        leftRounds = left.count
        rightRounds = right.count
        let a = Side(left, seed: seed &* 2)
        let b = Side(right, seed: seed &* 2 &+ 1)
        rows = []
        notCompared = []
        for metric in Self.metrics(left, right) {
            if let a = a.estimate(metric), let b = b.estimate(metric) {
                rows.append(Row(metric, a, b))
                continue
            }
            let (inA, inB) = (a.rounds(with: metric), b.rounds(with: metric))
            guard inA + inB > 0 else { continue }
            notCompared.append(
                "\(metric.name): in \(inA) of A's \(left.count), in \(inB) of B's \(right.count)")
        }
        warnings = [("A", left), ("B", right)].flatMap { side, rounds in
            rounds.enumerated().flatMap { index, report in
                report.warnings.map {
                    "\(side)\(rounds.count > 1 ? "\(index + 1)" : ""): \($0)"
                }
            }
        }
    }

    private static func metrics(_ left: [LoadReport], _ right: [LoadReport]) -> [ComparedMetric] {
        var metrics: [ComparedMetric] = [
            .requestsPerSecond, .outputTokensPerSecond, .goodputPerSecond,
        ]
        for latency in ComparedMetric.Latency.allCases {
            metrics += ComparedMetric.Quantile.allCases.map { .latency(latency, $0) }
        }
        let names = (left + right).flatMap { $0.processes.map(\.name) }
        return metrics + Set(names).sorted().map { .cpuPerUnit($0) }
    }

    /// A figure's logarithm on one side.
    struct Estimate {
        var logarithm: Double
        /// Of `logarithm`; nil when nothing tells.
        var variance: Double?
        var degrees: Double
    }

    struct Side {
        let rounds: [LoadReport]
        let bootstraps: [BlockBootstrap?]

        init(_ rounds: [LoadReport], seed: UInt64) {
            self.rounds = rounds
            bootstraps = rounds.enumerated().map { index, report in
                BlockBootstrap(report, seed: seed &+ UInt64(index) &* 0x9E37_79B9)
            }
        }

        func rounds(with metric: ComparedMetric) -> Int {
            rounds.count { metric.value($0) != nil }
        }

        /// nil unless each round has the figure.
        func estimate(_ metric: ComparedMetric) -> Estimate? {
            let values = rounds.compactMap { metric.value($0) }
            guard values.count == rounds.count, !values.isEmpty else { return nil }
            let logarithms = values.map { log($0) }
            let count = Double(values.count)
            let own = bootstraps.compactMap { $0?.variance(metric) }
            let blocks = bootstraps.compactMap { $0.map { Double($0.blocks.count - 1) } }
            let within = own.count == rounds.count ? Statistics.mean(own) / count : nil
            let between = rounds.count > 1 ? Statistics.variance(logarithms) / count : nil
            var estimate = Estimate(
                logarithm: Statistics.mean(logarithms), variance: nil, degrees: count - 1)
            if let between, between >= within ?? 0 {
                estimate.variance = between
            } else if let within {
                estimate.variance = within
                estimate.degrees = blocks.reduce(0, +)
            }
            return estimate
        }
    }
}

extension Comparison.Row {
    init(_ metric: ComparedMetric, _ left: Comparison.Estimate, _ right: Comparison.Estimate) {
        let difference = right.logarithm - left.logarithm
        self.init(
            metric: metric.name, left: exp(left.logarithm), right: exp(right.logarithm),
            ratio: exp(difference), low: nil, high: nil, verdict: .unknown)
        guard let a = left.variance, let b = right.variance else { return }
        let sum = a + b
        let parts = a * a / max(1, left.degrees) + b * b / max(1, right.degrees)
        let degrees = parts > 0 ? sum * sum / parts : 1
        let half = Statistics.studentT975(degrees: degrees) * sum.squareRoot()
        low = exp(difference - half)
        high = exp(difference + half)
        let isWithin = difference - half <= 0 && difference + half >= 0
        let isSame =
            abs(ratio - 1) < Comparison.resolution
            || metric.isLatency
                // With room for what the logarithms round.
                && abs(self.right - self.left) <= Comparison.resolutionMilliseconds * 1.000_001
        if isWithin || isSame {
            verdict = .noise
        } else {
            verdict = (ratio > 1) == metric.higherIsBetter ? .better : .worse
        }
    }
}

extension Comparison {
    package func json() throws -> String { try CompactJSON.text(self) }

    /// For people. The ratio is the second side over the first.
    package var table: String {
        var lines = [
            "\(leftRounds) and \(rightRounds) rounds; ratios B/A with 95 % intervals",
            "figure" + "A".padded(24) + "B".padded(12) + "B/A".padded(9) + "95 %".padded(17),
        ]
        for row in rows {
            let interval: String
            if let low = row.low, let high = row.high {
                interval = "\(Decimals.text(low, 3))...\(Decimals.text(high, 3))"
            } else {
                interval = "one round: none"
            }
            lines.append(
                row.metric + Decimals.short(row.left).padded(30 - row.metric.count)
                    + Decimals.short(row.right).padded(12) + Decimals.text(row.ratio, 3).padded(9)
                    + interval.padded(17) + "  \(row.verdict.rawValue)")
        }
        if !notCompared.isEmpty { lines.append("not compared, since some rounds lack them:") }
        lines += notCompared
        lines += warnings.map { "WARNING     \($0)" }
        return lines.joined(separator: "\n")
    }
}
