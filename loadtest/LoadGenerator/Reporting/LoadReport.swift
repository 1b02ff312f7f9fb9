package import Foundation

/// The outcome of one run; its JSON form is what `--json` prints. Latencies in milliseconds.
package struct LoadReport: Sendable, Codable {
    package struct Process: Sendable, Codable, Equatable {
        package var name: String
        package var pid: Int32
        package var cpuSeconds: Double?
        package var residentBytes: Int?
    }

    package struct Probe: Sendable, Codable {
        package var timeToFirstToken: LatencySummary?
        package var interTokenLatencyDuring: LatencySummary?
        package var interTokenLatencyOtherwise: LatencySummary?
    }

    /// What was asked for, in words.
    package var load: String
    package var seconds: Double
    package var connections: Int
    package var succeeded: Int
    /// Of the measured requests, shed and unsent ones included.
    package var failed: Int
    package var cutOff: Int
    package var errors: [String: Int]
    package var errorSample: String?
    package var stopped: Int
    package var reachedLength: Int
    package var requestsPerSecond: Double
    package var outputTokens: Int
    package var outputTokensPerSecond: Double
    package var outputDeltas: Int
    package var promptTokens: Int
    package var cachedTokens: Int
    package var bodyBytes: Int
    package var timeToFirstToken: LatencySummary?
    package var interTokenLatency: LatencySummary?
    package var timePerOutputToken: LatencySummary?
    package var endToEnd: LatencySummary?
    package var probe: Probe?
    package var processes: [Process]
    package var generatorCPUSeconds: Double
    package var generatorTimerDelay: LatencySummary?
    package var warnings: [String]

    // Since the second form of the report; see LoadReport+Parts.
    package var sent: Int?
    /// Arrivals that the generator's in-flight limit kept back.
    package var notSent: Int?
    package var cancelled: Int?
    /// Failures beside the measured requests: of the warm-up, of probes.
    package var otherErrors: [String: Int]?
    package var promptTokensPerSecond: Double?
    package var cachedTokensPerSecond: Double?
    package var queueDelay: LatencySummary?
    package var goodput: Goodput?
    package var shed: Shed?
    package var classes: [Group]?
    package var tenants: [Group]?
    package var tiers: [Group]?
    package var fairness: Fairness?
    package var saturation: Saturation?
    package var timeline: [TimelinePoint]?
    package var blocks: [Block]?
    package var cdfs: CumulativeDistributions?
    /// Whether requests went out by schedule.
    package var isOpenLoop: Bool?
    /// What ran, where and when: for readers of reports.
    package var settings: [String: String]?

    init(
        _ configuration: LoadConfiguration, _ measured: Measurements, _ window: MeasuredWindow,
        connections: Int
    ) {
        load = Self.words(configuration)
        let seconds = max(window.seconds, 1e-9)
        self.seconds = seconds
        self.connections = connections
        let total = measured.total
        succeeded = total.succeeded
        failed = total.failed
        cutOff = total.cutOff
        errors = measured.errors
        otherErrors = measured.otherErrors
        errorSample = measured.errorSample
        stopped = total.stopped
        reachedLength = total.reachedLength
        requestsPerSecond = Double(total.succeeded) / seconds
        outputTokens = total.outputTokens
        outputTokensPerSecond = Double(total.outputTokens) / seconds
        outputDeltas = total.outputDeltas
        promptTokens = total.promptTokens
        cachedTokens = total.cachedTokens
        bodyBytes = total.bodyBytes
        timeToFirstToken = total.timeToFirstToken?.summary
        interTokenLatency = total.interTokenLatency?.summary
        timePerOutputToken = total.timePerOutputToken?.summary
        endToEnd = total.endToEnd?.summary
        if configuration.probe != nil {
            probe = Probe(
                timeToFirstToken: measured.probeTimeToFirstToken.summary,
                interTokenLatencyDuring: measured.interTokenLatencyDuringProbe.summary,
                interTokenLatencyOtherwise: measured.interTokenLatencyOtherwise.summary)
        }
        processes = configuration.processes.enumerated().map { index, process in
            Process(
                name: process.name, pid: process.pid,
                cpuSeconds: window.processCPUSeconds[index],
                residentBytes: window.processResidentBytes[index])
        }
        generatorCPUSeconds = window.ownCPUSeconds
        generatorTimerDelay = measured.timerDelay.summary
        warnings = []
        if case .open = configuration.load { isOpenLoop = true } else { isOpenLoop = false }
        describe(measured, total, window)
        warn()
    }

    private static func words(_ configuration: LoadConfiguration) -> String {
        switch configuration.load {
        case .closed(let concurrency):
            "closed loop, \(concurrency) at once, \(configuration.version.rawValue)"
        case .open(let schedule):
            "open loop, \(schedule.words), \(configuration.version.rawValue)"
        }
    }

    /// The report as JSON with sorted keys.
    package func json() throws -> String { try CompactJSON.text(self) }

    /// Reads what `json` wrote, now or in its first form.
    package static func decoded(from data: Data) throws -> LoadReport {
        try JSONDecoder().decode(LoadReport.self, from: data)
    }
}
