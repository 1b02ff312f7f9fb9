import Testing

@testable import LoadGenerator

@Suite struct TimelineTests {
    private static let second: UInt64 = 1_000_000_000

    @Test func countsByTheSecondInWhichThingsHappen() {
        var timeline = Timeline(start: 5 * Self.second)
        timeline.sent(at: 5 * Self.second)
        timeline.delivered(2, at: 5 * Self.second + 999_999_999)
        timeline.delivered(3, at: 6 * Self.second)
        timeline.gap(4_000_000, at: 8 * Self.second + 1)
        timeline.finish(at: 8 * Self.second + Self.second / 2)
        #expect(timeline.points.map(\.tokens) == [2, 3, 0, 0])
        #expect(timeline.points.map(\.sent) == [1, 0, 0, 0])
        #expect(timeline.points.map(\.inFlight) == [1, 1, 1, 1])
        #expect(timeline.points.map { $0.start / Self.second } == [0, 1, 2, 3])
        #expect(timeline.points.last?.width == Self.second / 2)
        #expect(timeline.points.map(\.interTokenLatency.count) == [0, 0, 0, 1])
    }

    @Test func cpuTimeIsOfTheTimeInWhichItWasUsed() {
        var timeline = Timeline(start: 5 * Self.second)
        timeline.used(cpuSeconds: [2, nil], from: 5 * Self.second, to: 7 * Self.second)
        timeline.used(cpuSeconds: [3, 1], from: 7 * Self.second, to: 8 * Self.second + 500_000_000)
        timeline.finish(at: 8 * Self.second + 500_000_000)
        #expect(timeline.points.map { $0.cpuSeconds[0] } == [1, 1, 2, 1])
        #expect(timeline.points[1].cpuSeconds[1] == nil)
        // Of a whole that has an unknown part nothing is known.
        let joined = timeline.points[1].followed(by: timeline.points[2])
        #expect(joined.cpuSeconds == [3, nil])
    }

    @Test func cpuTimeStaysInPlaceWhenPointsBecomeLonger() {
        var timeline = Timeline(start: 0)
        let seconds = Timeline.pointsMax + 100
        for index in 0..<seconds {
            let from = UInt64(index) * Self.second
            timeline.used(cpuSeconds: [Double(index)], from: from, to: from + Self.second)
        }
        timeline.finish(at: UInt64(seconds) * Self.second)
        for point in timeline.points {
            let first = Double(point.start / Self.second)
            #expect(point.width == 2 * Self.second)
            #expect(point.cpuSeconds == [2 * first + 1])
        }
    }

    @Test func isBoundedAndLosesNothing() throws {
        var timeline = Timeline(start: 0)
        let seconds = 1_300
        for index in 0..<seconds {
            let now = UInt64(index) * Self.second
            timeline.sent(at: now)
            timeline.gap(UInt64(index + 1) * 1_000_000, at: now)
        }
        timeline.finish(at: UInt64(seconds) * Self.second)
        let points = timeline.points
        #expect(points.count <= Timeline.pointsMax)
        #expect(points.reduce(0) { $0 + $1.sent } == seconds)
        #expect(points.reduce(0) { $0 + $1.width } == UInt64(seconds) * Self.second)
        #expect(points.last?.inFlight == seconds)
        // Contiguous, and each with the gaps of its own time.
        var end: UInt64 = 0
        for point in points {
            #expect(point.start == end)
            end += point.width
            let first = try #require(point.interTokenLatency.bins.first).microseconds
            #expect(abs(Double(first) / Double(point.start / 1_000_000 + 1_000) - 1) < 0.002)
        }
    }

    @Test func mergingHistogramsIsTheHistogramOfAll() {
        var all = LatencyHistogram()
        var parts = SparseHistogram()
        for part in 0..<4 {
            var histogram = LatencyHistogram()
            for index in 1...500 {
                let value = UInt64(index * index * (part + 1)) * 1_000
                histogram.record(value)
                all.record(value)
            }
            parts = parts.merged(with: histogram.sparse)
        }
        #expect(parts == all.sparse)
        #expect(parts.count == 2_000)
        #expect(parts.quantile(0) != nil)
    }

    @Test(arguments: [0.0, 0.5, 0.9, 0.99, 1])
    func quantilesOfTheSparseFormAreThoseOfTheDense(_ fraction: Double) throws {
        var histogram = LatencyHistogram()
        for index in 1...10_000 { histogram.record(UInt64(index) * 37_000) }
        let dense = Double(try #require(histogram.percentile(fraction * 100))) / 1e6
        let sparse = try #require(histogram.sparse.quantile(fraction))
        #expect(abs(sparse / dense - 1) < 0.01 || abs(sparse - dense) < 0.001)
    }
}
