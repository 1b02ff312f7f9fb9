import Admission
import Testing

@testable import Gateway

@Suite struct RateStandingTests {
    @Test func fieldsNameWhatIsLimited() {
        let standing = RateStanding(
            requests: .init(limit: 60, remaining: 59, resetNanoseconds: 1_000_000_000))
        #expect(
            standing.fields.map { "\($0.name): \($0.value)" } == [
                "x-ratelimit-limit-requests: 60", "x-ratelimit-remaining-requests: 59",
                "x-ratelimit-reset-requests: 1s",
            ])
        #expect(RateStanding.unlimited.fields.isEmpty)
    }

    @Test(
        arguments: [
            (0, "0ms"), (1, "1ms"), (120_000_000, "120ms"), (999_000_001, "1s"),
            (1_500_000_000, "1.500s"), (59_999_000_000, "59.999s"), (60_000_000_000, "1m0s"),
            (361_020_000_000, "6m1.020s"), (-5, "0ms"),
        ] as [(Int64, String)])
    func durationsAreInGoNotation(nanoseconds: Int64, text: String) {
        #expect(RateStanding.duration(nanoseconds: nanoseconds) == text)
    }
}
