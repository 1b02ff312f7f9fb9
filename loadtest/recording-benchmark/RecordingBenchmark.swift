import LoadGenerator

/// `recording-benchmark [GAPS]`: what the load generator spends on recording a token's gap and
/// delivery, by number of classes. Gaps of 1 to 41 ms, 50,000 a second of the run's own time, so
/// that the closing of the timeline's seconds is in it.
@main
struct RecordingBenchmark {
    static func main() {
        let gaps = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 10_000_000
        for classes in [1, 16, 256] {
            var measured = Measurements(
                classes: (0..<classes).map { RequestClass(tenant: "\($0)") }, start: 0)
            var now: UInt64 = 1_000_000_000
            var random: UInt64 = 88_172_645_463_325_252
            let spent = ContinuousClock().measure {
                for index in 0..<gaps {
                    random ^= random << 13
                    random ^= random >> 7
                    random ^= random << 17
                    now += 20_000
                    let gap = 1_000_000 + random % 40_000_000
                    measured.gap(class: index % classes, from: now - gap, to: now)
                    measured.delivered(class: index % classes, deltas: 1, at: now)
                }
            }
            let nanoseconds = spent / gaps / Duration.nanoseconds(1)
            print("\(classes) classes: \((nanoseconds * 10).rounded() / 10) ns a token")
        }
    }
}
