/// Reasons to distrust the figures.
extension LoadReport {
    /// A loop that is busy for more of a core than this has no time left when requests come in
    /// bursts.
    static let threadShareMax = 0.8
    /// Milliseconds at p99 by which the generator's timer or its sends may be late.
    static let delayMax = 20.0

    mutating func warn() {
        let share = max(saturation?.threads.first?.share ?? 0, generatorCPUSeconds / seconds)
        var isSaturated = false
        if share > Self.threadShareMax {
            isSaturated = true
            warnings.append(
                "the generator used \(Int(share * 100)) % of its one core: "
                    + "the server may be faster than shown")
        }
        if let delay = generatorTimerDelay, delay.p99 > Self.delayMax {
            isSaturated = true
            warnings.append(
                "the generator's timer was \(Int(delay.p99)) ms late at p99: latencies hold "
                    + "waiting for CPU time on this machine")
        }
        if let delay = saturation?.sendDelay, delay.p99 > Self.delayMax {
            isSaturated = true
            warnings.append(
                "requests were sent \(Int(delay.p99)) ms late at p99: latencies hold the "
                    + "generator's own delay")
        }
        saturation?.isSaturated = isSaturated
        if let notSent, notSent > 0 {
            warnings.append(
                "\(notSent) requests were not sent, since too many were in flight: they count as "
                    + "failed")
        }
        for process in processes where process.cpuSeconds == nil {
            warnings.append("process \(process.pid) (\(process.name)) could not be measured")
        }
    }
}
