import InferenceTypes
import Testing

@testable import LoadGenerator

@Suite struct KneeSearchTests {
    /// Searches a server that holds its objective up to `knee`.
    private static func search(
        knee: Double, _ settings: KneeSearch.Settings = .init(),
        verdict: (Double, Double) -> Bool = { rate, knee in rate <= knee }
    ) -> (search: KneeSearch, steps: [KneeSearch.Step]) {
        var search = KneeSearch(settings)
        var steps: [KneeSearch.Step] = []
        while let step = search.next {
            steps.append(step)
            search.measured(step, met: verdict(step.rate, knee))
        }
        return (search, steps)
    }

    @Test(arguments: [0.05, 0.7, 1.0, 3.3, 37, 980]) func findsTheKneeWithinTheTolerance(
        _ knee: Double
    ) throws {
        var settings = KneeSearch.Settings()
        settings.runsMax = 30
        let (search, steps) = Self.search(knee: knee, settings)
        let met = try #require(search.met)
        let missed = try #require(search.missed)
        #expect(met <= knee && knee < missed)
        #expect(missed <= met * 1.1)
        #expect(search.isConfirmed)
        #expect(steps.last?.isConfirmation == true)
        #expect(steps.filter(\.isConfirmation).count == 1)
    }

    @Test func doublesThenBisects() {
        let (_, steps) = Self.search(knee: 11)
        #expect(steps.map(\.rate).prefix(8) == [1, 2, 4, 8, 16, 12, 10, 11])
    }

    @Test func endsWithinItsRuns() {
        for runs in 2...12 {
            var settings = KneeSearch.Settings()
            settings.runsMax = runs
            let (search, steps) = Self.search(knee: 700, settings)
            #expect(steps.count <= runs)
            #expect(search.met != nil)
        }
    }

    @Test func aServerThatNeverMeetsItHasNoKnee() {
        var settings = KneeSearch.Settings()
        settings.rateMin = 0.1
        let (search, steps) = Self.search(knee: 0, settings)
        #expect(search.met == nil)
        #expect(steps.map(\.rate) == [1, 0.5, 0.25, 0.125])
    }

    @Test func theHighestRateIsConfirmedWhereNothingIsMissed() {
        var settings = KneeSearch.Settings()
        settings.rateMax = 5
        let (search, steps) = Self.search(knee: 1_000, settings)
        #expect(steps.map(\.rate) == [1, 2, 4, 5, 5])
        #expect(search.isConfirmed)
        #expect(search.missed == nil)
    }

    @Test func aRefutedRateIsNotTheKnee() {
        var isFirst = true
        let (search, steps) = Self.search(knee: 11) { rate, knee in
            // What met it once at 11 does not do so again.
            if rate == 11, !isFirst { return false }
            if rate == 11 { isFirst = false }
            return rate <= knee
        }
        #expect(steps.filter { $0.rate == 11 }.count == 2)
        #expect(search.met.map { $0 < 11 } == true)
        #expect(search.isConfirmed)
    }

    /// What a run of 10 seconds with so many requests a second gave; of each ten one is not good.
    private static func report(
        rate: Int, first: Double = 10, isSaturated: Bool = false
    ) throws -> LoadReport {
        var measured = Measurements(objective: .init(timeToFirstToken: 50), start: 0)
        for index in 0..<rate * 10 {
            let start = UInt64(index) * 10_000_000_000 / UInt64(rate * 10)
            measured.sent(class: 0, intended: start, at: start)
            var outcome = RequestOutcome(intended: start, end: start + 100_000_000)
            outcome.first = start + UInt64(first * 1e6)
            measured.ended(class: 0, outcome, at: outcome.end)
        }
        var report = try LoadReport.sample(measured, seconds: 10, rate: Double(max(1, rate)))
        report.saturation?.isSaturated = isSaturated
        return report
    }

    @Test func aStepThatSaysNothingAboutTheServerIsNeitherMetNorMissed() throws {
        func judged(_ report: LoadReport, _ rate: Double) -> (Bool?, KneeReport) {
            var found = KneeReport(objective: .init(timeToFirstToken: 50), share: 0.99)
            let met = found.judge(report, .init(rate: rate, isConfirmation: false))
            #expect(found.points.map(\.met) == [met])
            return (met, found)
        }
        #expect(judged(try Self.report(rate: 10), 10).0 == true)
        #expect(judged(try Self.report(rate: 10, first: 60), 10).0 == false)
        #expect(judged(try Self.report(rate: 10, isSaturated: true), 10).0 == true)
        let busy = judged(try Self.report(rate: 10, first: 60, isSaturated: true), 10)
        #expect(busy.0 == nil)
        #expect(
            busy.1.warnings == ["at 10.0/s the generator was the limit: the knee may be higher"])
        let idle = judged(try Self.report(rate: 0), 10)
        #expect(idle.0 == nil)
        #expect(idle.1.warnings == ["at 10.0/s nothing could be judged within 10.0 s"])
        let unreached = judged(try Self.report(rate: 10), 100)
        #expect(unreached.0 == nil)
        #expect(unreached.1.warnings.count == 1)
    }

    @Test func noisyVerdictsEndTheSearchToo() {
        for seed in 0..<50 as Range<UInt64> {
            var counter: UInt64 = 0
            let (search, steps) = Self.search(knee: 20) { rate, knee in
                counter += 1
                let unit = SeededGenerator.unit(seed: seed, counter: counter)
                return rate * (0.7 + 0.6 * unit) <= knee
            }
            #expect(steps.count <= 14, "seed \(seed)")
            #expect(search.missed != nil, "seed \(seed)")
        }
    }
}
