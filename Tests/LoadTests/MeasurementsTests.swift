import Testing

@testable import LoadGenerator

@Suite struct MeasurementsTests {
    private static let second: UInt64 = 1_000_000_000

    /// A whole answer: `gaps` ns after `first` ns after `intended`.
    private static func outcome(
        intended: UInt64 = 0, first: UInt64, gaps: [UInt64] = []
    ) -> RequestOutcome {
        var outcome = RequestOutcome(intended: intended, end: first + gaps.reduce(0, +))
        outcome.first = first
        outcome.longestGap = gaps.max() ?? 0
        outcome.deltas = gaps.count + 1
        outcome.outputTokens = gaps.count + 1
        return outcome
    }

    @Test func latenciesCountFromTheIntendedStart() throws {
        var measured = Measurements(start: 0)
        measured.sent(class: 0, intended: 5_000_000, at: 8_000_000)
        measured.ended(
            class: 0, Self.outcome(intended: 5_000_000, first: 25_000_000, gaps: [10_000_000]),
            at: 35_000_000)
        let total = measured.total
        #expect(abs(try #require(total.timeToFirstToken?.mean) - 20e6) < 1)
        #expect(abs(try #require(total.endToEnd?.mean) - 30e6) < 1)
        #expect(abs(try #require(total.timePerOutputToken?.mean) - 10e6) < 1)
        #expect(abs(try #require(measured.sendDelay.mean) - 3e6) < 1)
        #expect(measured.timeline.inFlight == 0)
    }

    @Test func failedAndShedAndCancelledRequestsEnterNoHistogramOfSuccess() {
        var measured = Measurements(start: 0)
        for kind in 0..<3 {
            measured.sent(class: 0, intended: 0, at: 0)
            var outcome = Self.outcome(first: 1_000_000)
            outcome.failure = kind == 2 ? nil : "status \(kind == 0 ? 500 : 503)"
            outcome.failureSample = "body \(kind)"
            outcome.wasShed = kind == 1
            outcome.wasCancelled = kind == 2
            measured.ended(class: 0, outcome, at: 2_000_000)
        }
        let total = measured.total
        #expect(total.timeToFirstToken == nil)
        #expect(total.endToEnd == nil)
        #expect((total.succeeded, total.failed, total.shed, total.cancelled) == (0, 2, 1, 1))
        #expect(measured.errors == ["status 500": 1, "status 503": 1])
        #expect(measured.shedKinds == ["status 503": 1])
        #expect(measured.errorSample == "body 0")
    }

    @Test func classesAreApartAndTogether() throws {
        let classes = [
            RequestClass(tenant: "a", tier: "priority"), RequestClass(tenant: "b", tier: "batch"),
            RequestClass(tenant: "a", tier: "batch"),
        ]
        var measured = Measurements(classes: classes, start: 0)
        for index in 0..<3 {
            measured.sent(class: index, intended: 0, at: 0)
            measured.delivered(class: index, deltas: index + 1, at: 1_000)
            measured.gap(class: index, from: 0, to: UInt64(index + 1) * 10_000_000)
        }
        #expect(measured.byClass.map(\.outputTokens) == [1, 2, 3])
        #expect(measured.combined { $0.tenant == "a" }.outputTokens == 4)
        let batch = measured.combined { $0.tier == "batch" }
        #expect(abs(try #require(batch.interTokenLatency?.mean) - 25e6) < 1)
        #expect(measured.total.interTokenLatency?.count == 3)
    }

    @Test func goodputNeedsAllLimitsToHold() {
        let objective = ServiceLevelObjective(
            timeToFirstToken: 20, interTokenLatency: 15, timePerOutputToken: 12, endToEnd: 60)
        let millisecond: UInt64 = 1_000_000
        let cases: [(first: UInt64, gaps: [UInt64], good: Bool)] = [
            (20, [10, 10], true), (21, [10], false), (10, [16, 5], false), (10, [13, 13], false),
            (20, [11, 11, 11, 11], false),
        ]
        for (first, gaps, good) in cases {
            var measured = Measurements(objective: objective, start: 0)
            measured.sent(class: 0, intended: 0, at: 0)
            let outcome = Self.outcome(
                first: first * millisecond, gaps: gaps.map { $0 * millisecond })
            measured.ended(class: 0, outcome, at: outcome.end)
            #expect(measured.total.good == (good ? 1 : 0), "\(first) \(gaps)")
            #expect(measured.total.judged == 1)
        }
    }

    @Test func aRequestThatIsCutOffCountsOnlyWhenItCannotBecomeGood() {
        let objective = ServiceLevelObjective(timeToFirstToken: 100)
        for (age, judged) in [(UInt64(99_000_000), 0), (101_000_000, 1)] {
            var measured = Measurements(objective: objective, start: 0)
            measured.sent(class: 0, intended: 0, at: 0)
            measured.cutOff(class: 0, RequestOutcome(intended: 0, end: age))
            #expect(measured.total.judged == judged)
            #expect(measured.total.cutOff == 1)
        }
    }

    @Test func aRequestThatIsCutOffIsNotJudgedByWhatItsEndWouldTell() {
        // Three tokens in 90 ms so far are 45 ms each, of which later ones may make less.
        let objective = ServiceLevelObjective(interTokenLatency: 50, timePerOutputToken: 20)
        for (gap, judged) in [(UInt64(45_000_000), 0), (51_000_000, 1)] {
            var measured = Measurements(objective: objective, start: 0)
            measured.sent(class: 0, intended: 0, at: 0)
            measured.cutOff(class: 0, Self.outcome(first: 1_000_000, gaps: [45_000_000, gap]))
            #expect(measured.total.judged == judged)
            #expect(measured.total.good == 0)
        }
    }

    @Test func whatWasBeforeTheMeasurementStaysAsErrorsOnly() {
        var measured = Measurements()
        measured.failedOutside("warm-up: status 500", sample: "no")
        measured.begin(at: 10 * Self.second)
        measured.finish(at: 11 * Self.second)
        #expect(measured.otherErrors == ["warm-up: status 500": 1])
        #expect(measured.errors.isEmpty)
        #expect(measured.timeline.points.count == 1)
        #expect(measured.timeline.points.first?.start == 0)
    }
}
