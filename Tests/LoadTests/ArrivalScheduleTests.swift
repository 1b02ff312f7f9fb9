import LoadGenerator
import Testing

@Suite struct ArrivalScheduleTests {
    private func arrivals(_ shape: ArrivalSchedule.Shape, _ seed: UInt64, count: Int) -> [UInt64] {
        var schedule = ArrivalSchedule(shape: shape, rate: 100, seed: seed)
        return (0..<count).map { _ in schedule.next() }
    }

    @Test func theSameSeedGivesTheSameArrivals() {
        #expect(arrivals(.poisson, 7, count: 1_000) == arrivals(.poisson, 7, count: 1_000))
        #expect(arrivals(.poisson, 7, count: 10) != arrivals(.poisson, 8, count: 10))
    }

    @Test func constantGapsAreEqual() {
        #expect(arrivals(.constant, 1, count: 4) == [0, 10_000_000, 20_000_000, 30_000_000])
    }

    @Test func poissonGapsHaveTheRateAndTheSpread() {
        let times = arrivals(.poisson, 3, count: 20_000)
        #expect(times == times.sorted())
        let gaps = zip(times.dropFirst(), times).map { Double($0 - $1) }
        let mean = gaps.reduce(0, +) / Double(gaps.count)
        let variance = gaps.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(gaps.count)
        #expect(abs(mean / 10_000_000 - 1) < 0.03)
        #expect(abs(variance.squareRoot() / mean - 1) < 0.05)
    }
}
