import LoadGenerator
import Testing

@Suite struct ArrivalScheduleTests {
    private func arrivals(_ shape: ArrivalSchedule.Shape, _ seed: UInt64, count: Int) -> [UInt64] {
        var schedule = ArrivalSchedule(shape: shape, rate: 100, seed: seed)
        return (0..<count).compactMap { _ in schedule.next() }
    }

    /// Mean and standard deviation of the gaps, in mean gaps of the rate.
    private func gaps(_ shape: ArrivalSchedule.Shape, count: Int) -> (mean: Double, cv: Double) {
        let times = arrivals(shape, 3, count: count)
        let gaps = zip(times, [0] + times).map { Double($0 - $1) }
        let mean = gaps.reduce(0, +) / Double(gaps.count)
        let variance = gaps.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(gaps.count)
        return (mean / 10_000_000, variance.squareRoot() / mean)
    }

    @Test(arguments: [
        ArrivalSchedule.Shape.poisson, .constant, .bursty(variation: 3), .bursty(variation: 0.5),
        .ramp(to: 10, seconds: 5),
    ])
    func theSameSeedGivesTheSameArrivals(_ shape: ArrivalSchedule.Shape) {
        let times = arrivals(shape, 7, count: 1_000)
        #expect(times == times.sorted())
        #expect(arrivals(shape, 7, count: 1_000) == times)
        #expect((arrivals(shape, 8, count: 10) == Array(times.prefix(10))) == (shape == .constant))
        var other = ArrivalSchedule(shape: shape, rate: 100, seed: 8).seeded(7)
        #expect((0..<10).compactMap { _ in other.next() } == Array(times.prefix(10)))
    }

    @Test func constantGapsAreEqual() {
        #expect(arrivals(.constant, 1, count: 4) == [0, 10_000_000, 20_000_000, 30_000_000])
    }

    @Test(arguments: [
        (ArrivalSchedule.Shape.poisson, 1.0), (.bursty(variation: 1), 1),
        (.bursty(variation: 0.4), 0.4), (.bursty(variation: 3), 3),
    ])
    func gapsHaveTheRateAndTheSpread(_ shape: ArrivalSchedule.Shape, _ variation: Double) {
        let (mean, cv) = gaps(shape, count: 100_000)
        #expect(abs(mean - 1) < 0.03, "\(mean)")
        #expect(abs(cv / variation - 1) < 0.05, "\(cv)")
    }

    @Test func rampsHaveTheRateOfTheirMoment() {
        // From 100/s to 300/s in 100 s: 20,000 arrivals, and then 300 a second.
        let times = arrivals(.ramp(to: 300, seconds: 100), 5, count: 40_000)
        func count(_ from: Double, _ to: Double) -> Double {
            Double(times.count { Double($0) >= from * 1e9 && Double($0) < to * 1e9 })
        }
        #expect(abs(count(0, 100) / 20_000 - 1) < 0.03)
        #expect(abs(count(0, 10) / 1_100 - 1) < 0.1)
        #expect(abs(count(90, 100) / 2_900 - 1) < 0.1)
        #expect(abs(count(120, 150) / 9_000 - 1) < 0.05)
        let downhill = arrivals(.ramp(to: 1, seconds: 100), 5, count: 4_900)
        #expect(Double(downhill.last ?? 0) / 1e9 > 70)
        #expect(Double(downhill.last ?? 0) / 1e9 < 105)
        var fromZero = ArrivalSchedule(shape: .ramp(to: 50, seconds: 10), rate: 0, seed: 1)
        #expect((0..<250).compactMap { _ in fromZero.next() }.last ?? 0 > 8_000_000_000)
    }

    @Test(arguments: [
        ArrivalSchedule.Shape.poisson, .constant, .bursty(variation: 100),
        .ramp(to: 1e-300, seconds: 1),
    ])
    func farArrivalsAreBounded(_ shape: ArrivalSchedule.Shape) {
        var schedule = ArrivalSchedule(shape: shape, rate: 1e-300, seed: 1)
        let times = (0..<1_000).compactMap { _ in schedule.next() }
        #expect(times.count == 1_000 && times.last == ArrivalSchedule.instantMax)
    }

    @Test func tracesEnd() {
        var schedule = ArrivalSchedule(recorded: [3, 5])
        #expect(schedule.next() == 3)
        #expect(schedule.next() == 5)
        #expect(schedule.next() == nil)
    }
}
