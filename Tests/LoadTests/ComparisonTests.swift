import Foundation
import InferenceTypes
import Testing

@testable import LoadGenerator

@Suite struct ComparisonTests {
    /// A run of `blocks` seconds with 20 answers each; latencies are log-normal, a second's share
    /// a level of their own, and everything is multiplied by `factor`.
    private static func run(
        seed: UInt64, factor: Double = 1, blocks: Int = 20, cpu: Double = 1
    ) throws -> LoadReport {
        var counter: UInt64 = 0
        func normal() -> Double {
            counter += 1
            let u = max(1e-12, SeededGenerator.unit(seed: seed, counter: counter &* 2))
            let v = SeededGenerator.unit(seed: seed, counter: counter &* 2 &+ 1)
            return (-2 * log(u)).squareRoot() * cos(2 * .pi * v)
        }
        var measured = Measurements(start: 0)
        let second: UInt64 = 1_000_000_000
        for block in 0..<blocks {
            let level = exp(0.05 * normal()) * factor
            let start = UInt64(block) * second
            let requests = Int((20 / level).rounded())
            for _ in 0..<requests {
                var outcome = RequestOutcome(intended: start, end: start)
                let first = start + UInt64(2e7 * level * exp(0.15 * normal()))
                var now = first
                for _ in 0..<5 {
                    let gap = UInt64(1e7 * level * exp(0.2 * normal()))
                    measured.gap(class: 0, from: now, to: now + gap)
                    now += gap
                }
                outcome.first = first
                outcome.end = now
                outcome.deltas = 6
                outcome.outputTokens = 6
                measured.sent(class: 0, intended: start, at: start)
                measured.firstToken(intended: start, at: first)
                measured.delivered(class: 0, deltas: 6, at: now)
                measured.ended(class: 0, outcome, at: now)
            }
        }
        measured.finish(at: UInt64(blocks) * second)
        var report = try LoadReport.sample(measured, seconds: Double(blocks))
        report.processes = [.init(name: "server", pid: 1, cpuSeconds: cpu * (1 + 0.02 * normal()))]
        return report
    }

    /// How many of the rows of all trials have a verdict, by metric.
    private static func verdicts(
        trials: Int, rounds: Int, factor: Double
    ) throws -> (noise: Int, all: Int, missed: [String]) {
        var noise = 0
        var all = 0
        var missed: [String] = []
        for trial in 0..<trials {
            let base = UInt64(trial) * 1_000 + 17
            let left = try (0..<rounds).map { try run(seed: base + UInt64($0)) }
            let right = try (0..<rounds).map {
                try run(seed: base + 500 + UInt64($0), factor: factor)
            }
            for row in Comparison(left: left, right: right).rows where row.verdict != .unknown {
                all += 1
                if row.verdict == .noise {
                    noise += 1
                    missed.append(row.metric)
                }
            }
        }
        return (noise, all, missed)
    }

    @Test(arguments: [1, 3]) func samplesOfOneDistributionAreNoise(_ rounds: Int) throws {
        let (noise, all, _) = try Self.verdicts(
            trials: rounds == 1 ? 16 : 5, rounds: rounds, factor: 1)
        #expect(all >= 5 * 12)
        #expect(Double(noise) >= 0.9 * Double(all), "\(noise) of \(all)")
    }

    @Test(arguments: [1, 3]) func aTenthSlowerIsFound(_ rounds: Int) throws {
        // A p99 of four hundred samples varies by more than a tenth: the middle has to be found.
        let (_, _, missed) = try Self.verdicts(trials: 5, rounds: rounds, factor: 1.1)
        for metric in ["TTFT p50, ms", "ITL p50, ms", "ITL p90, ms", "TPOT p50, ms", "e2e p50, ms"]
        {
            #expect(!missed.contains(metric), "\(metric)")
        }
    }

    @Test func theVerdictKnowsWhichDirectionIsBetter() throws {
        let comparison = Comparison(
            left: [try Self.run(seed: 3)], right: [try Self.run(seed: 4, factor: 0.7)])
        let rows = comparison.rows.filter { $0.verdict != .unknown }
        #expect(!rows.isEmpty)
        #expect(rows.allSatisfy { $0.verdict == .better })
        let tokens = try #require(rows.first { $0.metric == "output tokens/s" })
        #expect(tokens.ratio > 1.3)
        let latency = try #require(rows.first { $0.metric == "TTFT p50, ms" })
        #expect(latency.ratio < 0.8)
        #expect(try #require(latency.low) < latency.ratio)
        #expect(try #require(latency.high) > latency.ratio)
    }

    @Test func oneRoundWithoutBlocksHasNoInterval() throws {
        let comparison = Comparison(left: [try Self.run(seed: 5)], right: [try Self.run(seed: 6)])
        let cpu = comparison.rows.first { $0.metric.hasPrefix("CPU server") }
        #expect(cpu?.verdict == .unknown)
        #expect(cpu?.low == nil)
        let rounds = Comparison(
            left: try (0..<4).map { try Self.run(seed: 10 + $0) },
            right: try (0..<4).map { try Self.run(seed: 20 + $0, cpu: 2) })
        let apart = rounds.rows.first { $0.metric.hasPrefix("CPU server") }
        #expect(apart?.verdict == .worse)
    }

    @Test func whatOneSideLacksAndWarningsAreTold() throws {
        var left = try Self.run(seed: 5)
        let right = try Self.run(seed: 6)
        left.processes = []
        left.timeToFirstToken = nil
        left.warnings = ["the generator was busy"]
        let comparison = Comparison(left: [left], right: [right])
        #expect(!comparison.rows.contains { $0.metric.hasPrefix("TTFT") })
        #expect(
            comparison.notCompared == [
                "TTFT p50, ms: in 0 of A's 1, in 1 of B's 1",
                "TTFT p90, ms: in 0 of A's 1, in 1 of B's 1",
                "TTFT p99, ms: in 0 of A's 1, in 1 of B's 1",
                "CPU server, us each: in 0 of A's 1, in 1 of B's 1",
            ])
        #expect(comparison.warnings == ["A: the generator was busy"])
        let table = comparison.table
        #expect(table.contains("CPU server, us each: in 0 of A's 1"))
        #expect(table.contains("WARNING     A: the generator was busy"))
    }

    @Test func aMicrosecondIsNoDifference() {
        func verdict(_ left: Double, _ right: Double, _ metric: ComparedMetric)
            -> Comparison.Verdict
        {
            Comparison.Row(
                metric, .init(logarithm: log(left), variance: 1e-12, degrees: 10),
                .init(logarithm: log(right), variance: 1e-12, degrees: 10)
            ).verdict
        }
        let latency = ComparedMetric.latency(.interTokenLatency, .p50)
        #expect(verdict(0.004, 0.005, latency) == .noise)
        #expect(verdict(0.004, 0.006, latency) == .worse)
        #expect(verdict(0.004, 0.005, .goodputPerSecond) == .better)
    }

    @Test func processesOfOneNameAreASum() throws {
        func run(_ cpu: [Double?], _ blocks: [[Double?]?]) throws -> LoadReport {
            var report = try Self.run(seed: 9, blocks: blocks.count)
            report.processes = cpu.enumerated().map {
                .init(name: "server", pid: Int32($0.offset + 1), cpuSeconds: $0.element)
            }
            for (index, value) in blocks.enumerated() { report.blocks?[index].cpuSeconds = value }
            return report
        }
        let metric = ComparedMetric.cpuPerUnit("server")
        let even = Array(repeating: [1.0, 2.0] as [Double?]?, count: 10)
        let one = try run([10, 20], even)
        #expect(one.processNames == ["server"])
        let value = try #require(metric.value(one))
        #expect(abs(value - 30e6 / Double(one.outputTokens)) < 1e-6)
        #expect(metric.value(try run([10, nil], even)) == nil)
        // A block whose CPU time is not known is not one without.
        let known = try #require(BlockBootstrap(one, seed: 1)?.variance(metric))
        for unknown in [nil, [nil, 2], [1]] as [[Double?]?] {
            let gap = try run([10, 20], even.dropLast() + [unknown])
            let variance = try #require(BlockBootstrap(gap, seed: 1)?.variance(metric))
            #expect(variance < 2 * known, "\(variance) and \(known)")
        }
    }

    @Test func isTheSameEachTime() throws {
        let runs = (left: [try Self.run(seed: 7)], right: [try Self.run(seed: 8)])
        #expect(
            Comparison(left: runs.left, right: runs.right)
                == Comparison(left: runs.left, right: runs.right))
    }

    @Test func studentsQuantilesAreThoseOfTheTable() {
        let exact: [(Double, Double)] = [
            (1, 12.706), (3, 3.182), (7.5, 2.3337), (11, 2.201), (25, 2.060), (1_000, 1.962),
        ]
        for (degrees, value) in exact {
            #expect(abs(Statistics.studentT975(degrees: degrees) - value) < 0.005, "\(degrees)")
        }
    }
}
