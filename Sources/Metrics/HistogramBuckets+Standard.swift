/// The bucket sets that dashboards for inference servers expect (OPERATIONS.md, "Metrics").
extension HistogramBuckets {
    /// Time to the first generated token.
    package static let timeToFirstToken = HistogramBuckets(seconds: [
        0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20,
        40, 80, 160, 640, 2_560,
    ])

    /// Gaps between tokens, and time per output token.
    package static let timePerOutputToken = HistogramBuckets(seconds: [
        0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40,
        80,
    ])

    /// End to end, waiting, prefill and decode.
    package static let requestLatency = HistogramBuckets(seconds: [
        0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1_920,
        7_680,
    ])

    /// Delay that the gateway itself adds: 10 us up.
    package static let gatewayDelay = HistogramBuckets(seconds: [
        0.000_01, 0.000_02, 0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02,
        0.05, 0.1, 0.2, 0.5, 1,
    ])

    /// Tokens of a prompt or an answer.
    package static let tokens = HistogramBuckets(counts: [
        1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000,
        200_000,
    ])

    /// Requests in one engine step.
    package static let batchSize = HistogramBuckets(counts: [
        1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256,
    ])
}
