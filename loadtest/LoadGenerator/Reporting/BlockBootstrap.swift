import Foundation
import InferenceTypes

/// How much a figure of one run varies by chance: the run's blocks (stretches of equal length) are
/// drawn with replacement many times, and the figure is made anew from what was drawn.
///
/// What happens within a block stays together, so that requests which delay each other, or tokens
/// of one step, are not taken for independent. Deterministic: the draws follow from the seed.
struct BlockBootstrap {
    static let draws = 200

    let blocks: [LoadReport.Block]
    /// `[draw][block]`: how often the block was drawn.
    private let weights: [[UInt64]]
    private let report: LoadReport
    private var latencies: [ComparedMetric.Latency: [ComparedMetric.Quantile: Double]] = [:]

    /// nil: too few blocks to tell anything.
    init?(_ report: LoadReport, seed: UInt64) {
        guard let blocks = report.blocks, blocks.count >= 4 else { return nil }
        self.blocks = blocks
        self.report = report
        var counter: UInt64 = 0
        weights = (0..<Self.draws).map { _ in
            var drawn = Array(repeating: UInt64(0), count: blocks.count)
            for _ in blocks {
                counter += 1
                let unit = SeededGenerator.unit(seed: seed, counter: counter)
                drawn[min(blocks.count - 1, Int(unit * Double(blocks.count)))] += 1
            }
            return drawn
        }
        for latency in ComparedMetric.Latency.allCases { latencies[latency] = quantiles(latency) }
    }

    /// The variance of the figure's logarithm; nil where it cannot be told.
    func variance(_ metric: ComparedMetric) -> Double? {
        switch metric {
        case .requestsPerSecond: ratios { (Double($0.succeeded), $0.seconds) }
        case .outputTokensPerSecond: ratios { (Double($0.tokens), $0.seconds) }
        case .goodputPerSecond: ratios { (Double($0.good), $0.seconds) }
        case .latency(let latency, let quantile):
            latencies[latency]?[quantile]
        case .cpuPerUnit(let name):
            ratios { block in
                report.cpuSeconds(name, of: block.cpuSeconds).map {
                    ($0, Double(report.outputTokens > 0 ? block.tokens : block.succeeded))
                }
            }
        }
    }

    /// Blocks without a value are left out.
    private func ratios(_ parts: (LoadReport.Block) -> (Double, Double)?) -> Double? {
        let parts = blocks.map(parts)
        return Self.variance(
            ofLogarithmsOf: weights.map { weights in
                var (above, below) = (0.0, 0.0)
                for case (let weight, let part?) in zip(weights, parts) where weight > 0 {
                    above += Double(weight) * part.0
                    below += Double(weight) * part.1
                }
                return below > 0 ? above / below : 0
            })
    }

    /// The variances of all quantiles of a latency, each draw in one pass over its bins.
    private func quantiles(
        _ latency: ComparedMetric.Latency
    ) -> [ComparedMetric.Quantile: Double] {
        var entries: [(microseconds: UInt64, block: Int, count: UInt64)] = []
        var counts: [UInt64] = []
        for (index, block) in blocks.enumerated() {
            let histogram = block.histogram(latency)
            counts.append(histogram.count)
            for bin in histogram.bins { entries.append((bin.microseconds, index, bin.count)) }
        }
        entries.sort { ($0.microseconds, $0.block) < ($1.microseconds, $1.block) }
        let fractions = ComparedMetric.Quantile.allCases
        var values = Array(repeating: [Double](), count: fractions.count)
        for weights in weights {
            let total = zip(weights, counts).reduce(0) { $0 + $1.0 * $1.1 }
            let ranks = fractions.map { max(1, ($0.rawValue * Double(total)).rounded(.up)) }
            var passed: UInt64 = 0
            var next = 0
            for entry in entries {
                passed += weights[entry.block] * entry.count
                while next < ranks.count, Double(passed) >= ranks[next] {
                    values[next].append(Double(entry.microseconds))
                    next += 1
                }
                if next == ranks.count { break }
            }
            while next < ranks.count {
                values[next].append(0)
                next += 1
            }
        }
        var variances: [ComparedMetric.Quantile: Double] = [:]
        for (quantile, values) in zip(fractions, values) {
            variances[quantile] = Self.variance(ofLogarithmsOf: values)
        }
        return variances
    }

    /// Draws without a value are left out; nil when they are many.
    private static func variance(ofLogarithmsOf values: [Double]) -> Double? {
        let logarithms = values.filter { $0 > 0 }.map { log($0) }
        guard logarithms.count * 10 >= values.count * 9 else { return nil }
        return Statistics.variance(logarithms)
    }
}
