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
