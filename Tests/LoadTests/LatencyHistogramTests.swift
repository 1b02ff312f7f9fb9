import LoadGenerator
import Testing

@Suite struct LatencyHistogramTests {
    @Test func percentilesAreWithinTheStatedError() throws {
        var histogram = LatencyHistogram()
        for microseconds in 1...100_000 { histogram.record(UInt64(microseconds) * 1_000) }
        for (percentile, exact) in [(50.0, 50_000_000.0), (99, 99_000_000), (99.9, 99_900_000)] {
            let value = Double(try #require(histogram.percentile(percentile)))
            #expect(abs(value / exact - 1) < 0.001, "p\(percentile)")
        }
        #expect(abs(try #require(histogram.mean) / 50_000_500 - 1) < 1e-9)
    }

    @Test func shortLatenciesAreKnownToHalfAMicrosecond() throws {
        for nanoseconds in stride(from: UInt64(700), to: 500_000, by: 3_331) {
            var histogram = LatencyHistogram()
            histogram.record(nanoseconds)
            let value = try #require(histogram.percentile(50))
            #expect(value >= nanoseconds && value - nanoseconds <= 512)
        }
    }

    @Test func isEmptyWithoutSamples() {
        #expect(LatencyHistogram().percentile(50) == nil)
        #expect(LatencyHistogram().summary == nil)
    }

    @Test func longLatenciesCountAsTheLongest() throws {
        var histogram = LatencyHistogram()
        histogram.record(.max)
        histogram.record(0)
        #expect(histogram.count == 2)
        #expect(try #require(histogram.max) >= LatencyHistogram.longest)
    }
}
