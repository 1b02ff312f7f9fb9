/// What a run measures, as it goes. Owned by the run's event loop.
struct Measurements {
    var timeToFirstToken = LatencyHistogram()
    var interTokenLatency = LatencyHistogram()
    var timePerOutputToken = LatencyHistogram()
    var endToEnd = LatencyHistogram()
    /// How late the generator's own timer fired.
    var timerDelay = LatencyHistogram()

    /// Gaps of the running streams that overlap a probe's wait for its first token.
    var interTokenLatencyDuringProbe = LatencyHistogram()
    /// All other gaps.
    var interTokenLatencyOtherwise = LatencyHistogram()
    var probeTimeToFirstToken = LatencyHistogram()

    var succeeded = 0
    /// Still running when the measured time ended.
    var cutOff = 0
    var stopped = 0
    var reachedLength = 0
    /// Deltas as they come, corrected by each answer's usage when it ends.
    var outputTokens = 0
    var outputDeltas = 0
    var promptTokens = 0
    var cachedTokens = 0
    var bodyBytes = 0
    /// Number of failed requests by kind.
    var errors: [String: Int] = [:]
    /// The body of the first failed answer.
    var errorSample: String?

    mutating func recordSuccess(_ stream: LoadStream, end: UInt64) {
        succeeded += 1
        bodyBytes += stream.bodyBytes
        endToEnd.record(end - stream.intendedStart)
        guard stream.isChat else { return }
        let scanner = stream.scanner
        let tokens = scanner.completionTokens ?? scanner.deltas
        outputTokens += tokens - scanner.deltas
        promptTokens += scanner.promptTokens ?? 0
        cachedTokens += scanner.cachedTokens ?? 0
        switch scanner.finish {
        case .stop: stopped += 1
        case .length: reachedLength += 1
        case .other, nil: break
        }
        guard let first = stream.firstDelta else { return }
        timeToFirstToken.record(first - stream.intendedStart)
        if tokens > 1 { timePerOutputToken.record((end - first) / UInt64(tokens - 1)) }
    }

    mutating func recordError(_ kind: String, sample: String) {
        errors[kind, default: 0] += 1
        if errorSample == nil, !sample.isEmpty { errorSample = sample }
    }
}
