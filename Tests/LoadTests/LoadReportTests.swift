import Foundation
import Testing

@testable import LoadGenerator

@Suite struct LoadReportTests {
    private static let second: UInt64 = 1_000_000_000

    /// Ten seconds of two tenants, one of which got three times the other's tokens.
    private static func measured(_ objective: ServiceLevelObjective) -> Measurements {
        let classes = [
            RequestClass(tenant: "a", tier: "priority"), RequestClass(tenant: "b", tier: "batch"),
        ]
        var measured = Measurements(classes: classes, objective: objective, start: 0)
        for index in 0..<100 {
            let start = UInt64(index) * second / 10
            let isFirst = index % 2 == 0
            let name = isFirst ? 0 : 1
            measured.sent(class: name, intended: start, at: start)
            var outcome = RequestOutcome(intended: start, end: start + second / 20)
            outcome.first = start + (isFirst ? 10_000_000 : 30_000_000)
            outcome.deltas = isFirst ? 30 : 10
            outcome.outputTokens = outcome.deltas
            if index == 99 {
                outcome.failure = "status 503"
                outcome.wasShed = true
            } else {
                measured.firstToken(intended: start, at: outcome.first ?? 0)
                measured.delivered(class: name, deltas: outcome.deltas, at: outcome.end)
                measured.gap(class: name, from: start, to: start + 2_000_000)
            }
            measured.ended(class: name, outcome, at: outcome.end)
        }
        measured.finish(at: 10 * second)
        return measured
    }

    private static func report(_ objective: ServiceLevelObjective = .init()) throws -> LoadReport {
        try LoadReport.sample(measured(objective), seconds: 10)
    }

    @Test func keepsWhatItsFirstFormHad() throws {
        let json = try JSONSerialization.jsonObject(with: Data(try Self.report().json().utf8))
        let members = try #require(json as? [String: Any])
        let first = [
            "bodyBytes", "cachedTokens", "connections", "cutOff", "errors", "failed",
            "generatorCPUSeconds", "load", "outputDeltas", "outputTokens",
            "outputTokensPerSecond", "processes", "promptTokens", "reachedLength",
            "requestsPerSecond", "seconds", "stopped", "succeeded", "warnings",
        ]
        for name in first { #expect(members[name] != nil, "\(name)") }
        #expect(members["failed"] as? Int == 1)
        #expect(members["succeeded"] as? Int == 99)
        let ttft = try #require(members["timeToFirstToken"] as? [String: Any])
        #expect(ttft.keys.sorted() == ["count", "max", "mean", "p50", "p90", "p99", "p999"])
    }

    @Test func comesBackFromItsJSON() throws {
        let report = try Self.report(ServiceLevelObjective(timeToFirstToken: 20))
        let again = try LoadReport.decoded(from: Data(try report.json().utf8))
        #expect(try again.json() == report.json())
        #expect(again.blocks == report.blocks)
    }

    @Test func readsTheFirstForm() throws {
        let old = """
            {"load":"closed loop, 1 at once, h1","seconds":1,"connections":1,"succeeded":1,
            "failed":0,"cutOff":0,"errors":{},"stopped":1,"reachedLength":0,
            "requestsPerSecond":1,"outputTokens":4,"outputTokensPerSecond":4,"outputDeltas":4,
            "promptTokens":1,"cachedTokens":0,"bodyBytes":9,"processes":[],
            "generatorCPUSeconds":0.1,"warnings":[]}
            """
        let report = try LoadReport.decoded(from: Data(old.utf8))
        #expect(report.outputTokens == 4)
        #expect(report.timeline == nil)
    }

    @Test func goodputAndFairnessAreByTheirDefinitions() throws {
        let report = try Self.report(ServiceLevelObjective(timeToFirstToken: 20))
        let goodput = try #require(report.goodput)
        #expect((goodput.met, goodput.judged, goodput.requestsPerSecond) == (50, 100, 5))
        let fairness = try #require(report.fairness)
        let (a, b) = (1_500.0, 490.0)
        let jain = (a + b) * (a + b) / (2 * (a * a + b * b))
        #expect(abs(fairness.outputTokens - jain) < 1e-12)
        #expect(fairness.outputTokensByTier.isEmpty)
        #expect(LoadReport.jain([1, 1, 1]) == 1)
        #expect(abs(LoadReport.jain([1, 0, 0, 0]) - 0.25) < 1e-12)
        #expect(report.shed == .init(requests: 1, kinds: ["status 503": 1]))
        #expect(report.tenants?.map(\.name) == ["a", "b"])
        #expect(report.tiers?.map(\.shed) == [1, 0])
    }

    @Test func withoutAnObjectiveNothingIsGood() throws {
        let report = try Self.report()
        #expect(report.goodput == nil)
        #expect(report.tenants?.map(\.goodFraction) == [nil, nil])
        #expect(report.classes?.map(\.goodFraction) == [nil, nil])
        let judged = try Self.report(ServiceLevelObjective(timeToFirstToken: 20))
        #expect(judged.tenants?.map(\.goodFraction) == [1, 0])
        // Nothing judged is neither good nor bad.
        let none = Measurements(objective: .init(timeToFirstToken: 20), start: 0)
        let empty = try LoadReport.sample(none, seconds: 1).goodput
        #expect(empty?.judged == 0 && empty?.fraction == nil)
    }

    @Test func givingUpIsNoUnfairness() throws {
        let classes = [RequestClass(tenant: "a"), RequestClass(tenant: "b")]
        var measured = Measurements(classes: classes, start: 0)
        for index in 0..<10 {
            for kind in 0..<2 {
                measured.sent(class: kind, intended: 0, at: 0)
                var outcome = RequestOutcome(intended: 0, end: 1)
                outcome.wasCancelled = kind == 1 && index < 8
                measured.ended(class: kind, outcome, at: 1)
            }
        }
        let fairness = try #require(try LoadReport.sample(measured, seconds: 1).fairness)
        #expect(fairness.succeeded == 1)
    }

    @Test func hugeLimitsHaveWordsToo() {
        let words = ServiceLevelObjective(timeToFirstToken: 1e300, endToEnd: 0.5).words
        #expect(words.hasPrefix("TTFT <= 1000"))
        #expect(words.hasSuffix("end to end <= 0.5 ms"))
    }

    @Test func classesWithoutATierAreNotLost() throws {
        let classes = [RequestClass(tier: "batch"), RequestClass()]
        var measured = Measurements(classes: classes, start: 0)
        for index in 0..<2 {
            measured.sent(class: index, intended: 0, at: 0)
            measured.delivered(class: index, deltas: index + 1, at: 1)
        }
        let report = try LoadReport.sample(measured, seconds: 1)
        #expect(report.tiers?.map(\.name) == ["batch", "none"])
        #expect(report.tiers?.map(\.outputTokens) == [1, 2])
        #expect(report.tenants?.isEmpty == true)
    }

    @Test func timelineAndBlocksAddUpToTheRun() throws {
        let report = try Self.report()
        let timeline = try #require(report.timeline)
        let blocks = try #require(report.blocks)
        #expect(timeline.reduce(0) { $0 + $1.tokens } == report.outputTokens)
        #expect(blocks.reduce(0) { $0 + $1.tokens } == report.outputTokens)
        #expect(blocks.reduce(0) { $0 + $1.seconds } == 10)
        #expect(timeline.reduce(0) { $0 + $1.succeeded } == report.succeeded)
        #expect(blocks.reduce(0) { $0 + $1.endToEnd.count } == 99)
    }

    @Test func cumulativeDistributionsAscendToOne() throws {
        let cdf = try #require(try Self.report().cdfs?.timeToFirstToken)
        #expect(cdf.milliseconds.count == cdf.fraction.count)
        #expect(cdf.fraction.last == 1)
        #expect(zip(cdf.milliseconds, cdf.milliseconds.dropFirst()).allSatisfy { $0 <= $1 })
        let below = zip(cdf.milliseconds, cdf.fraction).filter { $0.0 < 20 }.map(\.1).max()
        #expect(abs(try #require(below) - 50.0 / 99) < 0.02)
    }

    @Test func aBusyLoopAndLateSendsAreTold() throws {
        var report = try Self.report()
        #expect(report.saturation?.isSaturated == false)
        report.warnings = []
        report.saturation?.threads = [.init(name: "loop", cpuSeconds: 9.5, share: 0.95)]
        var late = LatencyHistogram()
        late.record(50_000_000)
        report.saturation?.sendDelay = late.summary
        report.warn()
        #expect(report.saturation?.isSaturated == true)
        #expect(report.warnings.count == 2)
        #expect(report.warnings.first?.contains("95 %") == true)
    }

    @Test func theTableHasALineForEachTenantAndTier() throws {
        let lines = try Self.report(ServiceLevelObjective(timeToFirstToken: 20)).table
            .split(separator: "\n")
        for word in ["a ", "b ", "priority ", "batch ", "a/priority ", "Goodput ", "Fairness "] {
            #expect(lines.contains { $0.hasPrefix(word) }, "\(word)")
        }
    }

    @Test func theProgressLineFitsAndTellsTheLastSeconds() {
        var measured = Self.measured(.init())
        let figures = measured.live(at: 10 * Self.second)
        #expect(figures.succeeded == 99)
        #expect(figures.shed == 1)
        #expect(figures.inFlight == 0)
        #expect(figures.timeToFirstTokenP50 != nil)
        let words = ProgressLine.words(figures)
        #expect(words.hasPrefix("10 s"))
        #expect(words.hasSuffix("1 shed  0 errors"))
        let line = ProgressLine(columns: 40).text(figures)
        #expect(line.hasPrefix(ProgressLine.cleared))
        #expect(line.dropFirst(ProgressLine.cleared.count).count == 39)
    }
}
